//! The process ends between two steps of the road, and another one goes on: nothing is lost, and at most one request is repeated. The
//! points are those of the table in `docs/guarantees.md`; `src/faults.rs` ends the process there.

mod first;
mod missing;
mod retry;

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;

use redis::AsyncCommands as _;
use serde_json::json;

use crate::harness::world::launch;
use crate::harness::{Door, LONG, Process, Reply, Setup, World, eventually};

const EVENTS: usize = 40;
const ABORTED: i32 = 6;
/// Short, so that what a dead process held is soon taken over.
const QUICK: [(&str, &str); 2] = [("POSTHASTE__REDIS__LEASE", "1"), ("POSTHASTE__SWEEP__INTERVAL", "0.2")];

/// A world with two endpoints: `/ok` takes everything, and `/retry` everything but first attempts.
async fn world(setup: Setup, retry_delay: f64) -> World {
    let world = QUICK.iter().fold(setup, |setup, (name, value)| setup.set(name, value)).await;
    world.receiver.rule("/retry", |request| Reply::status(if request.attempt() == 1 { 500 } else { 204 }));
    world.register("/ok", &json!({})).await;
    world.register("/retry", &json!({"retry_delay": retry_delay})).await;
    world
}

/// Stops the program, and starts one that ends at the point that `fault` names.
async fn with_fault(world: &mut World, fault: &str) -> Process {
    world.app.terminate();
    world.app.exited().await;
    faulty(world, fault)
}

fn faulty(world: &World, fault: &str) -> Process {
    let env: Vec<_> = QUICK.iter().chain([&("FAILPOINTS", fault)]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    launch(&world.stores, "all", &env).spawn()
}

async fn ready(process: &mut Process) {
    let api = process.api();
    eventually(LONG, async || (api.ready().await == Some(200)).then_some(())).await;
}

/// Waits until a worker waits for an entry: it has an empty claim then, into which the next one is moved.
async fn waits_for_entries(world: &World) {
    let (mut redis, claims) = (world.redis().await, world.key("webhook_claims"));
    eventually(LONG, async || (redis.zcard::<_, usize>(&claims).await.expect("Redis runs") > 0).then_some(())).await;
}

/// Waits until the fault has ended the process.
async fn ended_by_the_fault(mut process: Process) {
    assert_eq!(process.exited().await.signal(), Some(ABORTED), "the fault was not met\n{}", process.stderr());
}

fn event(number: usize) -> String {
    json!({"id": format!("e{number}"), "event_type": "a", "data": number}).to_string()
}

/// Enqueues all events, with the program under the fault, and answers those that were not taken: their owner sends them again.
async fn enqueue(world: &World, process: &Process, door: Door) -> Vec<String> {
    let events: Vec<_> = (0..EVENTS).map(event).collect();
    if door == Door::List {
        world.push(&events).await;
        return Vec::new();
    }
    let (api, mut refused) = (process.api(), Vec::new());
    for event in events {
        if api.try_post("/api/webhooks/events", &event).await != Some(202) {
            refused.push(event);
        }
    }
    refused
}

/// Everything is delivered by the process that runs now, recorded as it should be, and no request came more than twice.
async fn assert_whole(world: &World) {
    let delivered = world.api.wait_for_deliveries("delivered", 2 * EVENTS).await;
    assert_eq!(delivered.len(), 2 * EVENTS);
    assert_eq!(world.rows("webhook_deliveries").await, 2 * EVENTS as i64);
    world.settled().await;
    let mut counts = HashMap::<_, usize>::new();
    for request in world.receiver.requests() {
        *counts.entry((request.delivery_id().to_owned(), request.path.clone(), request.attempt())).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count <= 2), "more than one repeat: {counts:?}");
    for delivery in delivered {
        let id = delivery["id"].as_str().expect("an id").to_owned();
        let attempts: Vec<_> = (1..4)
            .filter(|attempt| ["/ok", "/retry"].iter().any(|path| counts.contains_key(&(id.clone(), (*path).to_owned(), *attempt))))
            .collect();
        assert_eq!(delivery["attempt_count"], attempts.len(), "{delivery} {attempts:?}");
        let paths: Vec<_> =
            ["/ok", "/retry"].into_iter().filter(|path| counts.contains_key(&(id.clone(), (*path).to_owned(), 1))).collect();
        assert_eq!(attempts.len(), if paths == ["/ok"] { 1 } else { 2 }, "{delivery} {paths:?}");
    }
}

/// Makes tests of points: `points! { production { name: door, fault … } }`.
macro_rules! points {
    ($run:path: $($mode:ident { $($name:ident($($argument:expr),+))+ })+) => {$(
        mod $mode {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    $run($crate::harness::World::$mode(), $($argument),+).await;
                }
            )+
        }
    )+};
}
pub(crate) use points;
