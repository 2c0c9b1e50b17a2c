//! [`Queue`] in Redis commands.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::ScriptInvocation;

use super::{RedisQueue, scripts};
use crate::model::clock::{self, Timestamp};
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Claim, ClaimId, Depth, Due, Memory, Oldest, Queue, Reserved, Settlement, TakenOver};

/// Lua unpacks no more than a few thousand values at once.
pub(super) const CHUNK: usize = 1000;
/// How long the one who restores the memory has for one page of it.
const RESTORING_MILLIS: u32 = 10_000;

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

    async fn claim_due(&self, max: usize, lapsed: bool) -> Result<Due, BackendError> {
        let (due, foreign) = self.lease_due(max, lapsed).await?;
        if !foreign.is_empty() {
            self.set_aside(foreign).await?;
        }
        Ok(due)
    }

    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError> {
        self.take_over_expired(max).await
    }

    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<Reserved>, BackendError> {
        let mut answers = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let mut call = self.scripts.reserve.key(&self.keys.routing);
            call.key(&self.keys.claims).arg(&*claim.0);
            for key in chunk {
                call.arg(key.to_member());
            }
            let ours: Vec<bool> = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            answers.extend(ours.into_iter().map(Reserved::from));
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
            let mut call = self.scripts.renew_deliveries.key(&self.keys.leased);
            call.key(&self.keys.retries).arg(self.lease.as_secs_f64());
            for delivery in chunk {
                call.arg(delivery.to_string());
            }
            self.call(&call).await?;
        }
        Ok(())
    }

    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError> {
        let mut added = 0;
        for chunk in events.chunks(CHUNK) {
            let mut command = redis::cmd("ZADD");
            command.arg(&self.keys.accepted).arg("NX");
            for (key, at) in chunk {
                command.arg(clock::unix_seconds(*at)).arg(key.to_member());
            }
            added += command.query_async::<u64>(&mut self.link.connection()).await.map_err(self.link.failed())?;
        }
        Ok(added)
    }

    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError> {
        let mut added = 0;
        for chunk in deliveries.chunks(CHUNK) {
            let mut call = self.scripts.schedule_missing.key(&self.keys.retries);
            call.key(&self.keys.leased);
            for (id, at) in chunk {
                call.arg(clock::unix_seconds(*at)).arg(id.to_string());
            }
            added += call.invoke_async::<u64>(&mut self.link.connection()).await.map_err(self.link.failed())?;
        }
        Ok(added)
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
            pipe.zrem(&self.keys.retries, &ids).zrem(&self.keys.leased, &ids).ignore();
        }
        if !settlement.scheduled.is_empty() {
            let scored: Vec<_> = settlement.scheduled.iter().map(|(id, at)| (clock::unix_seconds(*at), id.to_string())).collect();
            let ids: Vec<_> = scored.iter().map(|(_, id)| id).collect();
            pipe.zrem(&self.keys.leased, ids).ignore().zadd_multiple(&self.keys.retries, &scored).ignore();
        }
        for chunk in settlement.leased.chunks(CHUNK) {
            let ids: Vec<_> = chunk.iter().map(DeliveryId::to_string).collect();
            // As text, not by its hash: a server that forgot the script would end the transaction.
            pipe.zrem(&self.keys.retries, &ids).ignore().cmd("EVAL").arg(scripts::RENEW_DELIVERIES).arg(2);
            pipe.arg(&self.keys.leased).arg(&self.keys.retries).arg(self.lease.as_secs_f64()).arg(ids).ignore();
        }
        if !settlement.dead.is_empty() {
            let letters: Vec<_> = settlement.dead.iter().map(DeadLetter::to_json).collect();
            pipe.lpush(&self.keys.dead_letters, letters).ignore();
        }
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn memory(&self) -> Result<Memory, BackendError> {
        let mut call = self.scripts.memory.key(&self.keys.memory);
        let state: u8 = call.arg(RESTORING_MILLIS).invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        Ok(match state {
            0 => Memory::Whole,
            1 => Memory::Lost,
            _ => Memory::Restoring,
        })
    }

    async fn memory_is_whole(&self) -> Result<bool, BackendError> {
        let mark: Option<String> =
            redis::cmd("GET").arg(&self.keys.memory).query_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        Ok(mark.as_deref() == Some("whole"))
    }

    async fn restoring(&self) -> Result<bool, BackendError> {
        let mut command = redis::cmd("PEXPIRE");
        command.arg(&self.keys.memory).arg(RESTORING_MILLIS);
        command.query_async(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn restored(&self) -> Result<(), BackendError> {
        // XX: a mark that is gone went with what was put back.
        let mut command = redis::cmd("SET");
        command.arg(&self.keys.memory).arg("whole").arg("XX");
        command.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn depth(&self) -> Result<Depth, BackendError> {
        let (entries, accepted, waiting, leased, dead_letters): (u64, u64, u64, u64, u64) = redis::pipe()
            .llen(&self.keys.events)
            .zcard(&self.keys.accepted)
            .zcard(&self.keys.retries)
            .zcard(&self.keys.leased)
            .llen(&self.keys.dead_letters)
            .query_async(&mut self.link.connection())
            .await
            .map_err(self.link.failed())?;
        Ok(Depth { events: entries + accepted, deliveries: waiting + leased, dead_letters })
    }

    async fn oldest(&self) -> Result<Oldest, BackendError> {
        self.look_at_oldest().await
    }

    async fn ping(&self) -> Result<(), BackendError> {
        redis::cmd("PING").query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }
}

impl RedisQueue {
    pub(super) async fn call(&self, call: &ScriptInvocation<'_>) -> Result<(), BackendError> {
        call.invoke_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    /// As `claim_due`; and the members that are no delivery ids, leased like all others.
    pub(super) async fn lease_due(&self, max: usize, lapsed: bool) -> Result<(Due, Vec<Bytes>), BackendError> {
        let (lapsed, due, next): (Vec<Bytes>, Vec<Bytes>, String) = self
            .scripts
            .claim_due
            .key(&self.keys.retries)
            .key(&self.keys.leased)
            .arg(max.min(CHUNK))
            .arg(self.lease.as_secs_f64())
            .arg(if lapsed { max.min(CHUNK) } else { 0 })
            .invoke_async(&mut self.link.connection())
            .await
            .map_err(self.link.failed())?;
        let mut foreign = Vec::new();
        let mut ids_of = |members: Vec<Bytes>| -> Vec<DeliveryId> {
            let (own, others): (Vec<_>, Vec<_>) =
                members.into_iter().map(|member| (read(&member), member)).partition(|(id, _)| id.is_some());
            foreign.extend(others.into_iter().map(|(_, member)| member));
            own.into_iter().filter_map(|(id, _)| id).collect()
        };
        let (lapsed, ids) = (ids_of(lapsed), ids_of(due));
        let due = Due { ids, lapsed, next: next.parse().ok().map(|seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default()) };
        Ok((due, foreign))
    }

    /// Members of the schedule that are no delivery ids: left there, they would come back with every lease.
    async fn set_aside(&self, members: Vec<Bytes>) -> Result<(), BackendError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for entry in members {
            let letter = not_an_id(entry.clone());
            pipe.zrem(&self.keys.retries, &entry[..]).ignore().zrem(&self.keys.leased, &entry[..]).ignore();
            pipe.lpush(&self.keys.dead_letters, letter.to_json()).ignore();
        }
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }
}

pub(super) fn not_an_id(entry: Bytes) -> DeadLetter {
    let reason = "the schedule held it, and it is not a delivery id".into();
    DeadLetter { reason, class: "not_an_id", at: clock::now(), entry }
}

/// Another spelling of an id would come back for ever: settling it takes out ours.
fn read(member: &[u8]) -> Option<DeliveryId> {
    let id: DeliveryId = std::str::from_utf8(member).ok()?.parse().ok()?;
    (id.to_string().as_bytes() == member).then_some(id)
}
