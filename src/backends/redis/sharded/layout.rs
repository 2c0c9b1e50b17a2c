//! How many shards there are is kept in Redis, so that who starts with another number notices. It then forgets all that the records know,
//! which is restored as after a loss, and puts entries of shards that are no more into the one list that always is.
//!
//! For that nobody else may be at work: what another process holds meanwhile may be sent twice.

use std::sync::atomic::Ordering;

use redis::AsyncCommands as _;

use super::Sharded;
use super::places::Place;
use super::topology::Topology;
use crate::backends::meter::Meter;
use crate::backends::redis::RedisQueue;
use crate::backends::redis::error::BACKEND;
use crate::config::RedisSettings;
use crate::ports::{BackendError, ClaimId};

/// How long one process has for the change before another one begins it anew, in seconds.
const CHANGE: u32 = 60;
/// Entries that are moved at once.
const PAGE: isize = 500;

const OURS: u8 = 1;
const ANOTHERS: u8 = 2;

/// See [`RedisQueue::gather_shards`].
pub(in crate::backends::redis) async fn gather(settings: &RedisSettings) -> Result<(), BackendError> {
    lay_out(&Topology::new(settings, Meter::default())?, 1).await
}

impl Sharded {
    /// Before anything is claimed.
    pub(super) async fn be_laid_out(&self) -> Result<(), BackendError> {
        if self.outdated.load(Ordering::Relaxed) {
            return Err(outdated(self.shards.len()));
        }
        self.laid_out.get_or_try_init(|| lay_out(&self.topology, self.shards.len())).await?;
        Ok(())
    }

    /// Whether it is still as it was. What FLUSHALL took is written down again.
    pub(super) async fn look_at_layout(&self) -> Result<(), BackendError> {
        self.be_laid_out().await?;
        let shards = self.shards.len();
        let found = self.door.call(|queue| async move {
            let found = queue.shards().await?;
            if found.is_none() {
                queue.has_shards(shards).await?;
            }
            Ok(found)
        });
        match found.await {
            Ok(Some(found)) if found != shards => {
                self.outdated.store(true, Ordering::Relaxed);
                Err(outdated(shards))
            }
            // While it is away nobody changes it either.
            _ => Ok(()),
        }
    }
}

fn outdated(shards: usize) -> BackendError {
    let source = format!("the queue was given another number of shards than the {shards} of this process (redis.shards): start it anew");
    BackendError::Refused { backend: BACKEND, source: source.into() }
}

async fn lay_out(topology: &Topology, shards: usize) -> Result<(), BackendError> {
    let door = topology.part(Place::Door).await?;
    let (state, before, most) = door.layout(shards).await?;
    if state == ANOTHERS {
        let source = "another process is changing the number of shards".into();
        return Err(BackendError::Unavailable { backend: BACKEND, address: door.link.address().to_owned(), source });
    }
    // A single one has the names of a queue without shards.
    let kept = if shards == 1 { 0 } else { shards };
    if state == OURS {
        // Where there were none, nothing can be in the wrong one.
        for number in 0..if before == 0 { 0 } else { kept } {
            topology.part(Place::Shard(number)).await?.forget().await?;
        }
        if kept > 0 && !topology.clustered() {
            topology.part(Place::Unsharded).await?.forget().await?;
        }
    }
    let mut moved = 0;
    for number in kept..most {
        let shard = topology.part(Place::Shard(number)).await?;
        moved += shard.empty_claims_into(&door).await? + shard.empty_list_into(&door).await?;
        shard.forget().await?;
    }
    if kept == 0 && most > 0 {
        moved += door.empty_claims_into(&door).await?;
    }
    if state == OURS {
        door.has_shards(shards).await?;
        tracing::info!(shards, moved, "the queue has this number of shards from now on: what the records hold is put back");
    }
    Ok(())
}

impl RedisQueue {
    /// See `layout.lua`.
    async fn layout(&self, shards: usize) -> Result<(u8, usize, usize), BackendError> {
        let mut call = self.scripts.layout.key(&self.keys.shards);
        call.arg(shards).arg(CHANGE).invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn shards(&self) -> Result<Option<usize>, BackendError> {
        self.link.connection().hget(&self.keys.shards, "shards").await.map_err(self.link.failed())
    }

    async fn has_shards(&self, shards: usize) -> Result<(), BackendError> {
        let mut pipe = redis::pipe();
        pipe.atomic().hset(&self.keys.shards, "shards", shards).ignore().hdel(&self.keys.shards, "changing").ignore();
        pipe.hset_nx(&self.keys.shards, "most", shards).ignore();
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    /// Forgets what the records know, and that it had it.
    async fn forget(&self) -> Result<(), BackendError> {
        let keys = &self.keys;
        let known = [&keys.accepted, &keys.retries, &keys.leased, &keys.routing, &keys.memory, &keys.pauses, &keys.broken, &keys.slowed];
        self.link.connection().unlink::<_, ()>(&known[..]).await.map_err(self.link.failed())
    }

    /// Moves the entries to the other's list, oldest first. A crash between two steps leaves some in both, and the same event twice is one.
    async fn empty_list_into(&self, other: &Self) -> Result<usize, BackendError> {
        let mut moved = 0;
        loop {
            let mut link = self.link.connection();
            let mut page: Vec<Vec<u8>> = link.lrange(&self.keys.events, -PAGE, -1).await.map_err(self.link.failed())?;
            let Some(count) = isize::try_from(page.len()).ok().filter(|count| *count > 0) else { return Ok(moved) };
            page.reverse();
            moved += page.len();
            other.push(&page).await?;
            let () = link.ltrim(&self.keys.events, 0, -count - 1).await.map_err(self.link.failed())?;
        }
    }

    /// The same of what dead workers had claimed. Accepted events are in the records.
    async fn empty_claims_into(&self, other: &Self) -> Result<usize, BackendError> {
        let (mut link, mut moved) = (self.link.connection(), 0);
        let ids: Vec<String> = link.zrange(&self.keys.claims, 0, -1).await.map_err(self.link.failed())?;
        for id in ids {
            let claim = self.keys.claim(&ClaimId(id.as_str().into()));
            let entries: Vec<Vec<u8>> = link.lrange(&claim, 0, -1).await.map_err(self.link.failed())?;
            if id.starts_with('e') && !entries.is_empty() {
                moved += entries.len();
                other.push(&entries).await?;
            }
            let mut pipe = redis::pipe();
            pipe.atomic().del(&claim).ignore().zrem(&self.keys.claims, &id).ignore();
            pipe.query_async::<()>(&mut link).await.map_err(self.link.failed())?;
        }
        Ok(moved)
    }

    async fn push(&self, entries: &[Vec<u8>]) -> Result<(), BackendError> {
        self.link.connection().lpush::<_, _, ()>(&self.keys.events, entries).await.map_err(self.link.failed())
    }
}
