//! Events through every door, by number: `e0`, `e1`, `e2` …

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Api, Door, LONG, Receiver, World, eventually, redis};
use tokio_util::sync::CancellationToken;

use super::dice::Dice;

const EVENTS: &str = "/api/webhooks/events";

pub(super) fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","event_type":"a","data":{{"id":"{id}"}}}}"#)
}

fn events(name: char, from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| event(&format!("{name}{number}"))).collect()
}

/// The number in an event's id.
pub(super) fn number(id: &str) -> usize {
    id[1..].parse().expect("a letter and a number")
}

/// Door 3, as an application does it.
async fn insert(world: &World, from: usize, count: usize) {
    let statement = "INSERT INTO webhook_events (id, event_type, data) \
                     SELECT 'e' || number, 'a', json_build_object('id', number) FROM generate_series($1::bigint, $2::bigint) AS number";
    let (first, last) = (i64::try_from(from).expect("few"), i64::try_from(from + count - 1).expect("few"));
    world.sql().await.execute(statement, &[&first, &last]).await.unwrap();
}

/// Pushes `count` events in chunks, each through a door by chance, and stays at most `ahead` before what came.
pub(super) async fn push_through_all_doors(dice: &mut Dice, world: &World, list: bool, count: usize, ahead: usize) {
    let mut pushed = 0;
    while pushed < count {
        let chunk = dice.number(1..400).min(count - pushed);
        match dice.number(0..3) {
            0 if list => world.enqueue(Door::List, &events('e', pushed, chunk)).await,
            0 | 1 => world.enqueue(Door::Http, &events('e', pushed, chunk)).await,
            _ => insert(world, pushed, chunk).await,
        }
        pushed += chunk;
        world.receiver.wait_for(pushed.saturating_sub(ahead)).await;
    }
}

/// Sends `count` events over HTTP to a process that may not be there: what got no answer is sent again with the same ids.
pub(super) async fn send_until_answered(api: &Api, count: usize) {
    const CHUNK: usize = 50;
    for first in (0..count).step_by(CHUNK) {
        let body = format!("[{}]", events('e', first, CHUNK.min(count - first)).join(","));
        eventually(LONG, async || (api.try_post(EVENTS, &body).await == Some(202)).then_some(())).await;
    }
}

/// Load that goes on while servers come and go, through doors 1 and 2.
pub(super) struct Stream {
    requests: fn(usize) -> usize,
    /// Cancelled to end it.
    pub(super) stop: CancellationToken,
    /// Events so far, answered or not.
    started: AtomicUsize,
    /// Of these, those that a door did not take at first.
    refused: AtomicUsize,
}

const CHUNK: usize = 50;
/// How many requests may be owed before it slows down: enough that there always is work.
const AHEAD: usize = 5000;
/// How long it waits then, at most.
const SLOWLY: Duration = Duration::from_millis(250);

impl Stream {
    /// `requests` says how many come of so many events.
    pub(super) fn new(requests: fn(usize) -> usize) -> Self {
        Self { requests, stop: CancellationToken::new(), started: AtomicUsize::new(0), refused: AtomicUsize::new(0) }
    }

    /// How many events it sent.
    pub(super) fn events(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Door 1, until it is stopped and everything was taken.
    pub(super) async fn push(&self, redis_url: &str, receiver: &Receiver) {
        self.run('l', receiver, async |chunk| push(redis_url, chunk).await.is_ok()).await;
    }

    /// Door 2, until it is stopped and everything was taken.
    pub(super) async fn send(&self, api: &Api, receiver: &Receiver) {
        let answered = async |chunk: &[String]| api.try_post(EVENTS, &format!("[{}]", chunk.join(","))).await == Some(202);
        self.run('h', receiver, answered).await;
    }

    async fn run(&self, name: char, receiver: &Receiver, take: impl AsyncFn(&[String]) -> bool) {
        let mut refused = Vec::new();
        for first in (0..).step_by(CHUNK).take_while(|_| !self.stop.is_cancelled()) {
            let chunk = events(name, first, CHUNK);
            self.started.fetch_add(CHUNK, Ordering::Relaxed);
            if !take(&chunk).await {
                self.refused.fetch_add(CHUNK, Ordering::Relaxed);
                refused.push(chunk);
            }
            // Slowly while nothing comes, but on: an outage is no reason for applications to be silent.
            let caught_up = receiver.came((self.requests)(self.events()).saturating_sub(AHEAD));
            let _either = tokio::time::timeout(SLOWLY, caught_up).await;
        }
        for chunk in refused {
            eventually(LONG, async || take(&chunk).await.then_some(())).await;
        }
    }
}

async fn push(redis_url: &str, entries: &[String]) -> ::redis::RedisResult<()> {
    let mut connection = redis::connect(redis_url).await?;
    ::redis::cmd("LPUSH").arg("webhook_events").arg(entries).query_async(&mut connection).await
}
