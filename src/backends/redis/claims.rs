//! Claims: how they are named, made, and taken over.

use std::time::Duration;

use bytes::Bytes;
use redis::AsyncCommands as _;
use uuid::Uuid;

use super::RedisQueue;
use super::link::MAX_WAIT;
use crate::faults;
use crate::model::clock::{self, Timestamp};
use crate::model::event::EventKey;
use crate::ports::{BackendError, Claim, ClaimId, Queue as _, Settlement, TakenOver};

/// What a claim holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entries,
    Accepted,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Entries => 'e',
            Self::Accepted => 'a',
        }
    }
}

/// `<kind>-<milliseconds since 1970>-<random><mark>`: a takeover changes the random part alone.
fn new_id(kind: Kind, claimed_at: Timestamp, mark: &str) -> ClaimId {
    ClaimId(format!("{}-{}-{}{mark}", kind.letter(), claimed_at.timestamp_millis(), Uuid::now_v7().simple()).into())
}

fn read_id(id: &str) -> Option<(Kind, Timestamp)> {
    let mut parts = id.split('-');
    let kind = match parts.next()? {
        "e" => Kind::Entries,
        "a" => Kind::Accepted,
        _ => return None,
    };
    Some((kind, Timestamp::from_timestamp_millis(parts.next()?.parse().ok()?)?))
}

/// Now, in the whole milliseconds that a claim's id keeps.
fn now_millis() -> Timestamp {
    let now = clock::now();
    Timestamp::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

impl RedisQueue {
    pub(super) async fn claim_entry_batch(&self, max: usize) -> Result<Option<Claim<Bytes>>, BackendError> {
        let claimed_at = now_millis();
        let id = new_id(Kind::Entries, claimed_at, &self.mark);
        let entries: Option<Vec<Bytes>> = self
            .scripts
            .claim_entries
            .key(&self.keys.events)
            .key(&self.keys.claims)
            .key(self.keys.claim(&id))
            .arg(max)
            .arg(self.lease.as_secs_f64())
            .arg(&*id.0)
            .invoke_async(&mut self.link.connection())
            .await
            .map_err(self.link.failed())?;
        Ok(entries.map(|items| Claim { id, claimed_at, items }))
    }

    /// Waits for one entry. The lease starts before, so that the entry is under it from the moment it leaves the list; the time of
    /// the claim is that of the entry's arrival, not of the wait's beginning.
    pub(super) async fn wait_for_entry(&self, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError> {
        let wait = wait.min(MAX_WAIT);
        let id = new_id(Kind::Entries, now_millis(), &self.mark);
        let lease = self.lease + wait;
        let hold = self
            .scripts
            .hold
            .key(&self.keys.claims)
            .arg(lease.as_secs_f64())
            .arg(&*id.0)
            .invoke_async::<()>(&mut self.entries.connection())
            .await;
        hold.map_err(self.entries.failed())?;
        let entry: Option<Bytes> = redis::cmd("BLMOVE")
            .arg(&self.keys.events)
            .arg(self.keys.claim(&id))
            .arg("RIGHT")
            .arg("RIGHT")
            .arg(wait.as_secs_f64())
            .query_async(&mut self.entries.connection())
            .await
            .map_err(self.entries.failed())?;
        let Some(entry) = entry else {
            // Nothing was moved. Where a crash prevents this, the empty claim goes with its lease.
            let _: u64 = self.link.connection().zrem(&self.keys.claims, &*id.0).await.map_err(self.link.failed())?;
            return Ok(None);
        };
        faults::crash_point("moved");
        Ok(self.arrived(&id).await?.map(|(id, claimed_at)| Claim { id, claimed_at, items: vec![entry] }))
    }

    /// Names the claim of an entry that came while we waited. `None` when it was taken over already.
    async fn arrived(&self, waited: &ClaimId) -> Result<Option<(ClaimId, Timestamp)>, BackendError> {
        let claimed_at = now_millis();
        let id = new_id(Kind::Entries, claimed_at, &self.mark);
        let mut call = self.scripts.arrived.key(&self.keys.claims);
        call.key(self.keys.claim(waited)).key(self.keys.claim(&id)).arg(&*waited.0).arg(&*id.0).arg(self.lease.as_secs_f64());
        let ours: bool = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        Ok(ours.then_some((id, claimed_at)))
    }

    pub(super) async fn claim_accepted_batch(
        &self,
        max: usize,
        popped: Option<(String, String)>,
    ) -> Result<Option<Claim<EventKey>>, BackendError> {
        let claimed_at = now_millis();
        let id = new_id(Kind::Accepted, claimed_at, &self.mark);
        let mut call = self.scripts.claim_accepted.key(&self.keys.accepted);
        call.key(&self.keys.claims).key(self.keys.claim(&id)).arg(max).arg(self.lease.as_secs_f64()).arg(&*id.0);
        if let Some((member, score)) = popped {
            call.arg(score).arg(member);
        }
        let members: Option<Vec<Bytes>> = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        match members {
            Some(members) => self.accepted(id, claimed_at, &members).await,
            None => Ok(None),
        }
    }

    /// Waits until an accepted event is on offer. The blocking pop is a doorbell only: what it takes is put back in the claim's
    /// own step, and an event that is lost between the two is still in the records, where the sweep finds it.
    pub(super) async fn wait_for_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError> {
        let popped: Option<(String, String, String)> = redis::cmd("BZPOPMIN")
            .arg(&self.keys.accepted)
            .arg(wait.min(MAX_WAIT).as_secs_f64())
            .query_async(&mut self.accepted.connection())
            .await
            .map_err(self.accepted.failed())?;
        let Some((_, member, score)) = popped else { return Ok(None) };
        faults::crash_point("popped");
        self.claim_accepted_batch(max, Some((member, score))).await
    }

    /// The claim of these members. What is not a key was not put there by us, and stands for no event; a claim of nothing else is dropped.
    async fn accepted(&self, id: ClaimId, claimed_at: Timestamp, members: &[Bytes]) -> Result<Option<Claim<EventKey>>, BackendError> {
        let items: Vec<_> = members.iter().filter_map(|member| EventKey::from_member(std::str::from_utf8(member).ok()?)).collect();
        if items.is_empty() {
            self.settle(&Settlement { claims: vec![id], ..Settlement::default() }).await?;
            return Ok(None);
        }
        Ok(Some(Claim { id, claimed_at, items }))
    }

    pub(super) async fn take_over_expired(&self, max: usize) -> Result<Vec<TakenOver>, BackendError> {
        let mut link = self.link.connection();
        let expired: Vec<String> =
            self.scripts.expired.key(&self.keys.claims).arg(max).invoke_async(&mut link).await.map_err(self.link.failed())?;
        let mut taken = Vec::new();
        for old in expired {
            let Some((kind, claimed_at)) = read_id(&old) else {
                let _: u64 = link.zrem(&self.keys.claims, &old).await.map_err(self.link.failed())?;
                tracing::warn!(claim = old, "a claim that no worker made was removed");
                continue;
            };
            let (old, new) = (ClaimId(old.into()), new_id(kind, claimed_at, &self.mark));
            let mut call = self.scripts.take_over.key(&self.keys.claims);
            call.key(self.keys.claim(&old)).key(self.keys.claim(&new)).arg(&*old.0).arg(&*new.0).arg(self.lease.as_secs_f64());
            let items: Option<Vec<Bytes>> = call.invoke_async(&mut link).await.map_err(self.link.failed())?;
            let Some(items) = items else { continue };
            taken.push(match kind {
                Kind::Entries => TakenOver::Entries(Claim { id: new, claimed_at, items }),
                Kind::Accepted => match self.accepted(new, claimed_at, &items).await? {
                    Some(claim) => TakenOver::Accepted(claim),
                    None => continue,
                },
            });
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_kind_and_time() {
        let at = now_millis();
        let id = new_id(Kind::Accepted, at, "-3");
        assert!(read_id(&id.0).is_some_and(|(kind, time)| kind == Kind::Accepted && time == at));
        assert!(read_id("nonsense").is_none());
    }
}
