//! [`Pacing`] in Redis commands.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use redis::{AsyncCommands as _, Script, ScriptInvocation};

use super::RedisQueue;
use super::queue::CHUNK;
use crate::model::clock::micros;
use crate::ports::{Ask, BackendError, Given, NewPause, Pacing, Pause, Pauses, Why};

#[async_trait]
impl Pacing for RedisQueue {
    async fn pause(&self, pauses: &[NewPause]) -> Result<(), BackendError> {
        for chunk in pauses.chunks(CHUNK) {
            let mut call = self.pausing(&self.scripts.pause);
            for pause in chunk {
                match *pause {
                    NewPause::Broken { endpoint_id, first, max } => {
                        call.arg("broken").arg(endpoint_id).arg(micros(first)).arg(micros(max));
                    }
                    NewPause::Slowed { endpoint_id, lasts } => {
                        call.arg("slowed").arg(endpoint_id).arg(micros(lasts)).arg(micros(lasts));
                    }
                }
            }
            self.call(&call).await?;
        }
        Ok(())
    }

    async fn probe(&self, endpoint_id: i64, lasts: Duration) -> Result<bool, BackendError> {
        let mut call = self.pausing(&self.scripts.probe);
        call.arg(endpoint_id).arg(micros(lasts));
        call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn recovered(&self, endpoints: &[i64]) -> Result<(), BackendError> {
        for chunk in endpoints.chunks(CHUNK) {
            let mut call = self.pausing(&self.scripts.recovered);
            call.arg(chunk);
            self.call(&call).await?;
        }
        Ok(())
    }

    async fn pauses(&self, known: u64) -> Result<Option<Pauses>, BackendError> {
        // Before the pauses themselves: what changes while they are read has a later revision, and shows the next time.
        let revision: Option<u64> = self.link.connection().get(&self.keys.pauses).await.map_err(self.link.failed())?;
        let revision = revision.unwrap_or(Pauses::NOTHING);
        if revision == known {
            return Ok(None);
        }
        // A scan may show the same twice.
        let mut paused = BTreeMap::new();
        if revision != Pauses::NOTHING {
            let broken = self.scan("HSCAN", &self.keys.broken).await?;
            let slowed = self.scan("ZSCAN", &self.keys.slowed).await?;
            let broken = broken.iter().filter_map(read_broken);
            for pause in broken.chain(slowed.iter().filter_map(read_slowed)) {
                paused.insert((pause.endpoint_id, pause.why), pause);
            }
        }
        Ok(Some(Pauses { revision, paused: paused.into_values().collect() }))
    }

    async fn slots(&self, asks: &[Ask]) -> Result<Vec<Given>, BackendError> {
        let mut answers = Vec::with_capacity(asks.len());
        for chunk in asks.chunks(CHUNK) {
            let mut call = self.scripts.slots.prepare_invoke();
            for ask in chunk {
                call.key(self.keys.slot(ask.endpoint_id)).key(self.keys.line(ask.endpoint_id));
                call.arg(micros(ask.every).max(1)).arg(ask.count).arg(micros(ask.ahead)).arg(micros(ask.line)).arg(u8::from(ask.newcomers));
            }
            let found: Vec<(u64, u64, u64, u64)> = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            answers.extend(chunk.iter().zip(found).map(|(ask, (first_slot, slots, first_place, places))| {
                let every = micros(ask.every).max(1);
                Given { slots: evenly(first_slot, every, slots), places: evenly(first_place, every, places) }
            }));
        }
        Ok(answers)
    }
}

fn evenly(first: u64, every: u64, count: u64) -> Vec<Duration> {
    (0..count).map(|number| Duration::from_micros(first + number * every)).collect()
}

/// Where a scan goes on, 0 when it does not, and names with their values.
type Page = (u64, Vec<(String, String)>);

/// What a scan found, with the time at which it did.
struct Found {
    now: u64,
    name: String,
    value: String,
}

impl RedisQueue {
    fn pausing<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.key(&self.keys.pauses);
        call.key(&self.keys.broken).key(&self.keys.slowed);
        call
    }

    /// All that a key holds, in pages, so that however much it is, Redis has others wait for no more than one of them.
    async fn scan(&self, command: &str, key: &str) -> Result<Vec<Found>, BackendError> {
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let mut pipe = redis::pipe();
            pipe.atomic().cmd("TIME").cmd(command).arg(key).arg(cursor).arg("COUNT").arg(CHUNK);
            let page = pipe.query_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            let ((seconds, micros), (next, pairs)): ((u64, u64), Page) = page;
            let now = seconds * 1_000_000 + micros;
            found.extend(pairs.into_iter().map(|(name, value)| Found { now, name, value }));
            if next == 0 {
                return Ok(found);
            }
            cursor = next;
        }
    }
}

/// As `pausing.lua` writes it; what it did not write stands for nothing.
fn read_broken(found: &Found) -> Option<Pause> {
    let mut parts = found.value.split(' ');
    let (ends, times, probing): (u64, _, _) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()? == "1");
    let lasts = Duration::from_micros(ends.saturating_sub(found.now));
    Some(Pause { endpoint_id: found.name.parse().ok()?, why: Why::Broken, lasts, probing: probing && !lasts.is_zero(), times })
}

/// `None` when it is over.
fn read_slowed(found: &Found) -> Option<Pause> {
    let ends: u64 = found.value.parse().ok()?;
    let lasts = Duration::from_micros(ends.checked_sub(found.now).filter(|left| *left > 0)?);
    Some(Pause { endpoint_id: found.name.parse().ok()?, why: Why::Slowed, lasts, probing: false, times: 0 })
}
