//! [`Queue`] over shards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;

use super::shard::Shard;
use super::{Sharded, places};
use crate::backends::redis::RedisQueue;
use crate::backends::redis::queue::{CHUNK, not_an_id};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Claim, ClaimId, Depth, Due, Memory, Oldest, Queue, Reserved, Settlement, TakenOver};

#[async_trait]
impl Queue for Sharded {
    fn name(&self) -> &'static str {
        super::BACKEND
    }

    async fn claim_entries(&self, max: usize, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError> {
        self.be_laid_out().await?;
        let claim =
            |shard: Arc<Shard>| async move { shard.call(|queue| async move { queue.claim_entry_batch(max.min(CHUNK)).await }).await };
        self.entries.claim(wait, claim).await
    }

    async fn claim_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError> {
        self.be_laid_out().await?;
        let claim = |shard: Arc<Shard>| async move {
            shard.call(|queue| async move { queue.claim_accepted_batch(max.min(CHUNK), None).await }).await
        };
        self.accepted.claim(wait, claim).await
    }

    async fn claim_due(&self, max: usize, lapsed: bool) -> Result<Due, BackendError> {
        self.be_laid_out().await?;
        let (count, turn) = (self.shards.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let in_turn = || (0..count).map(|number| &self.shards[(turn + number) % count]);
        // Each has its share; what some leave goes to those that have more.
        let share = |number: usize| max / count + usize::from(number < max % count);
        let asked = in_turn().enumerate().map(async |(number, shard)| {
            let due = self.lease_due(shard, share(number), lapsed).await;
            due.map(|due| (shard, due))
        });
        let (mut all, mut next) = (Due::default(), Vec::new());
        for (shard, due) in Self::those_that_answered(join_all(asked).await)? {
            next.push((shard, due.next));
            all.ids.extend(due.ids);
            all.lapsed.extend(due.lapsed);
        }
        for (shard, next) in &mut next {
            let left = max - all.ids.len() - all.lapsed.len();
            if left > 0 && *next == Some(Duration::ZERO) {
                let Ok(more) = self.lease_due(shard, left, lapsed).await else { continue };
                *next = more.next;
                all.ids.extend(more.ids);
                all.lapsed.extend(more.lapsed);
            }
        }
        all.next = next.into_iter().filter_map(|(_, next)| next).min();
        Ok(all)
    }

    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError> {
        self.be_laid_out().await?;
        let mut taken = Vec::new();
        for shard in self.shards.iter().chain([&self.door, &self.unsharded]) {
            if taken.len() < max && !shard.is_calming() {
                let left = max - taken.len();
                match shard.call(|queue| async move { queue.take_over(left).await }).await {
                    Ok(more) => taken.extend(more),
                    // What was taken over is ours, whatever the others say.
                    Err(_) if !taken.is_empty() => break,
                    Err(BackendError::Unavailable { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if taken.is_empty() && self.all_are_away() { Err(Self::nobody_answers()) } else { Ok(taken) }
    }

    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<Reserved>, BackendError> {
        self.reserve_events(claim, keys).await
    }

    async fn renew(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError> {
        self.renew_parts(claims, deliveries).await
    }

    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError> {
        self.put(events, |(key, _)| places::of_event(key, self.shards.len()), |queue, some| async move { queue.offer(&some).await }).await
    }

    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError> {
        let of = |(id, _): &(DeliveryId, Timestamp)| places::of_delivery(*id, self.shards.len());
        self.put(deliveries, of, |queue, some| async move { queue.schedule_missing(&some).await }).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), BackendError> {
        self.settle_parts(settlement).await
    }

    async fn memory(&self) -> Result<Memory, BackendError> {
        self.memory_of_all().await
    }

    async fn memory_is_whole(&self) -> Result<bool, BackendError> {
        self.all_are_whole().await
    }

    async fn restoring(&self) -> Result<bool, BackendError> {
        self.go_on_restoring().await
    }

    async fn restored(&self) -> Result<(), BackendError> {
        self.all_is_restored().await
    }

    /// A sum without one that is away would look as if less waited.
    async fn depth(&self) -> Result<Depth, BackendError> {
        let all = self.shards.iter().chain([&self.door]).map(|shard| shard.call(|queue| async move { queue.depth().await }));
        let (depths, letters) = tokio::join!(join_all(all), self.letters.call(|queue| async move { queue.count_letters().await }));
        let mut sum = Depth { dead_letters: letters?, ..Depth::default() };
        for depth in depths {
            let depth = depth?;
            sum.events += depth.events;
            sum.deliveries += depth.deliveries;
        }
        Ok(sum)
    }

    /// As with the depth, one that is away would look as if nothing waited there.
    async fn oldest(&self) -> Result<Oldest, BackendError> {
        let all = self.shards.iter().chain([&self.door]).map(|shard| shard.call(|queue| async move { queue.look_at_oldest().await }));
        let (mut events, mut dues) = (Vec::new(), Vec::new());
        for oldest in join_all(all).await {
            let Oldest { event, due } = oldest?;
            events.extend(event);
            dues.extend(due);
        }
        Ok(Oldest { event: events.into_iter().min(), due: dues.into_iter().min() })
    }

    fn parts_away(&self) -> u64 {
        self.parts().filter(|shard| shard.is_away()).count() as u64
    }

    /// It can do its work while one shard can: the events and deliveries of the others wait.
    async fn ping(&self) -> Result<(), BackendError> {
        let asked = self.shards.iter().map(|shard| shard.call(|queue| async move { queue.memory_is_whole().await }));
        Self::those_that_answered(join_all(asked).await).map(drop)
    }
}

impl Sharded {
    /// Gives each shard its own of them; answers how many were new. Those of one that is away are left out: the sweep finds them.
    async fn put<T, F>(
        &self,
        all: &[T],
        shard_of: impl Fn(&T) -> usize,
        put: impl Fn(Arc<RedisQueue>, Vec<T>) -> F + Sync,
    ) -> Result<u64, BackendError>
    where
        T: Clone + Send,
        F: Future<Output = Result<u64, BackendError>> + Send,
    {
        let mut parts: BTreeMap<usize, Vec<T>> = BTreeMap::new();
        for one in all {
            parts.entry(shard_of(one)).or_default().push(one.clone());
        }
        let put = &put;
        let added = parts.into_iter().map(|(shard, part)| self.shards[shard].call(move |queue| put(queue, part)));
        let added = join_all(added).await;
        match Self::those_that_answered(added) {
            Ok(added) => Ok(added.into_iter().sum()),
            Err(BackendError::Unavailable { .. }) if !self.all_are_away() => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn lease_due(&self, shard: &Shard, max: usize, lapsed: bool) -> Result<Due, BackendError> {
        let lapsed = lapsed && !shard.is_calming();
        let (due, foreign) = shard.call(|queue| async move { queue.lease_due(max, lapsed).await }).await?;
        if !foreign.is_empty() {
            // First into their list: until they are there they come back with every lease.
            let dead = foreign.iter().cloned().map(not_an_id).collect();
            self.settle_parts(&Settlement { dead, ..Settlement::default() }).await?;
            shard.call(|queue| async move { queue.drop_members(&foreign).await }).await?;
        }
        Ok(due)
    }
}

impl RedisQueue {
    async fn drop_members(&self, members: &[Bytes]) -> Result<(), BackendError> {
        let members: Vec<_> = members.iter().map(|member| &member[..]).collect();
        let mut pipe = redis::pipe();
        pipe.atomic().zrem(&self.keys.retries, &members).ignore().zrem(&self.keys.leased, &members).ignore();
        pipe.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    async fn count_letters(&self) -> Result<u64, BackendError> {
        let mut command = redis::cmd("LLEN");
        command.arg(&self.keys.dead_letters).query_async(&mut self.link.connection()).await.map_err(self.link.failed())
    }

    /// Whether this server has the slot of this key. [`Shard`] asks it before all else.
    pub(super) async fn answers(&self, key: &str) -> Result<(), BackendError> {
        redis::cmd("EXISTS").arg(key).query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())
    }
}
