//! [`Queue`] in Redis commands.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::ScriptInvocation;

use super::RedisQueue;
use crate::model::clock::{self, Timestamp};
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Claim, ClaimId, Depth, Due, Queue, Settlement, TakenOver};

/// Lua unpacks no more than a few thousand values at once.
const CHUNK: usize = 1000;

#[async_trait]
impl Queue for RedisQueue {
    fn name(&self) -> &'static str {
        super::error::BACKEND
    }

    async fn claim_entries(&self, max: usize, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError> {
        match self.claim_entry_batch(max.min(CHUNK)).await? {
            None if !wait.is_zero() => self.wait_for_entry(wait).await,
            claim => Ok(claim),
        }
    }

    async fn claim_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError> {
        match self.claim_accepted_batch(max.min(CHUNK), None).await? {
            None if !wait.is_zero() => self.wait_for_accepted(max.min(CHUNK), wait).await,
            claim => Ok(claim),
        }
    }

    async fn claim_due(&self, max: usize) -> Result<Due, BackendError> {
        let (members, first): (Vec<Bytes>, String) = self
            .scripts
            .claim_due
            .key(&self.keys.retries)
            .arg(max.min(CHUNK))
            .arg(self.lease.as_secs_f64())
            .invoke_async(&mut self.link.connection())
            .await
            .map_err(self.link.failed())?;
        let mut ids = Vec::with_capacity(members.len());
        let mut foreign = Vec::new();
        for member in members {
            // Another spelling of an id would come back for ever: settling it takes out ours.
            let id = std::str::from_utf8(&member).ok().and_then(|text| text.parse().ok());
            match id.filter(|id: &DeliveryId| id.to_string().as_bytes() == &member[..]) {
                Some(id) => ids.push(id),
                None => foreign.push(member),
            }
        }
        if !foreign.is_empty() {
            self.set_aside(foreign).await?;
        }
        Ok(Due { ids, next: first.parse().ok().map(clock::from_unix_seconds) })
    }

    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError> {
        self.take_over_expired(max).await
    }

    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<bool>, BackendError> {
        let mut answers = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let mut call = self.scripts.reserve.key(&self.keys.routing);
            call.key(&self.keys.claims).arg(&*claim.0);
            for key in chunk {
                call.arg(key.to_member());
            }
            let ours: Vec<bool> = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            answers.extend(ours);
        }
        Ok(answers)
    }

    async fn renew(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError> {
        for chunk in claims.chunks(CHUNK) {
            let mut call = self.scripts.renew.key(&self.keys.claims);
            call.arg(self.lease.as_secs_f64());
            for claim in chunk {
                call.arg(&*claim.0);
            }
            self.call(&call).await?;
        }
        for chunk in deliveries.chunks(CHUNK) {
            let mut call = self.scripts.renew.key(&self.keys.retries);
            call.arg(self.lease.as_secs_f64());
            for delivery in chunk {
                call.arg(delivery.to_string());
            }
            self.call(&call).await?;
        }
        Ok(())
    }

    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError> {
        let scored = events.iter().map(|(key, at)| (clock::unix_seconds(*at), key.to_member())).collect();
        self.add_missing(&self.keys.accepted, scored).await
    }

    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError> {
        let scored = deliveries.iter().map(|(id, at)| (clock::unix_seconds(*at), id.to_string())).collect();
        self.add_missing(&self.keys.retries, scored).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), BackendError> {
        if settlement.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        if !settlement.released.is_empty() {
            let events: Vec<_> = settlement.released.iter().map(EventKey::to_member).collect();
            pipe.hdel(&self.keys.routing, events).ignore();
        }
        if !settlement.claims.is_empty() {
            let claims: Vec<_> = settlement.claims.iter().map(|claim| self.keys.claim(claim)).collect();
            let ids: Vec<_> = settlement.claims.iter().map(|claim| &*claim.0).collect();
            pipe.del(claims).ignore().zrem(&self.keys.claims, ids).ignore();
        }
        if !settlement.unscheduled.is_empty() {
            let ids: Vec<_> = settlement.unscheduled.iter().map(DeliveryId::to_string).collect();
            pipe.zrem(&self.keys.retries, ids).ignore();
        }
        if !settlement.scheduled.is_empty() {
            let scored: Vec<_> = settlement.scheduled.iter().map(|(id, at)| (clock::unix_seconds(*at), id.to_string())).collect();
            pipe.zadd_multiple(&self.keys.retries, &scored).ignore();
        }
        if !settlement.dead.is_empty() {
            let letters: Vec<_> = settlement.dead.iter().map(DeadLetter::to_json).collect();
            pipe.lpush(&self.keys.dead_letters, letters).ignore();
        }
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn depth(&self) -> Result<Depth, BackendError> {
        let (entries, accepted, deliveries, dead_letters): (u64, u64, u64, u64) = redis::pipe()
            .llen(&self.keys.events)
            .zcard(&self.keys.accepted)
            .zcard(&self.keys.retries)
            .llen(&self.keys.dead_letters)
            .query_async(&mut self.link.connection())
            .await
            .map_err(self.link.failed())?;
        Ok(Depth { events: entries + accepted, deliveries, dead_letters })
    }

    async fn ping(&self) -> Result<(), BackendError> {
        redis::cmd("PING").query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }
}

impl RedisQueue {
    async fn call(&self, call: &ScriptInvocation<'_>) -> Result<(), BackendError> {
        call.invoke_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn add_missing(&self, key: &str, scored: Vec<(f64, String)>) -> Result<u64, BackendError> {
        let mut added = 0;
        for chunk in scored.chunks(CHUNK) {
            let mut command = redis::cmd("ZADD");
            command.arg(key).arg("NX");
            for (score, member) in chunk {
                command.arg(*score).arg(member);
            }
            added += command.query_async::<u64>(&mut self.link.connection()).await.map_err(self.link.failed())?;
        }
        Ok(added)
    }

    /// Members of the schedule that are no delivery ids: left there, they would come back with every lease.
    async fn set_aside(&self, members: Vec<Bytes>) -> Result<(), BackendError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for entry in members {
            let letter = DeadLetter {
                reason: "the schedule held it, and it is not a delivery id".into(),
                class: "not_an_id",
                at: clock::now(),
                entry: entry.clone(),
            };
            pipe.zrem(&self.keys.retries, &entry[..]).ignore().lpush(&self.keys.dead_letters, letter.to_json()).ignore();
        }
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }
}
