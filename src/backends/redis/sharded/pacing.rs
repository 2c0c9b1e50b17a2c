//! [`Pacing`] and [`DeadLetters`] over shards: pauses are all in shard 0, for one revision counts them; rate limits are spread; dead letters are
//! one list.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{Sharded, places};
use crate::ports::{Ask, BackendError, DeadLetters, Given, Letters, LettersAsked, NewPause, Pacing, Pauses};

/// When what waits for a slot of a limit whose shard is away is to ask again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

#[async_trait]
impl Pacing for Sharded {
    async fn pause(&self, pauses: &[NewPause]) -> Result<(), BackendError> {
        self.shards[0].call(|queue| async move { queue.pause(pauses).await }).await
    }

    async fn probe(&self, endpoint_id: i64, lasts: Duration) -> Result<bool, BackendError> {
        self.shards[0].call(|queue| async move { queue.probe(endpoint_id, lasts).await }).await
    }

    async fn recovered(&self, endpoints: &[i64]) -> Result<(), BackendError> {
        self.shards[0].call(|queue| async move { queue.recovered(endpoints).await }).await
    }

    async fn pauses(&self, known: u64) -> Result<Option<Pauses>, BackendError> {
        self.shards[0].call(|queue| async move { queue.pauses(known).await }).await
    }

    /// What asks a shard that is away gets a place in a line of its own: it waits on the schedule, and not in memory.
    async fn slots(&self, asks: &[Ask]) -> Result<Vec<Given>, BackendError> {
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, ask) in asks.iter().enumerate() {
            parts.entry(places::of_endpoint(ask.endpoint_id, self.shards.len())).or_default().push(index);
        }
        let asked = parts.into_iter().map(async |(shard, indexes)| {
            let own: Vec<_> = indexes.iter().map(|index| asks[*index]).collect();
            let given = self.shards[shard]
                .call(|queue| {
                    let own = &own;
                    async move { queue.slots(own).await }
                })
                .await;
            (indexes, given)
        });
        let mut all = vec![Given::default(); asks.len()];
        for (indexes, given) in join_all(asked).await {
            match given {
                Ok(given) => indexes.into_iter().zip(given).for_each(|(index, given)| all[index] = given),
                Err(BackendError::Unavailable { .. }) if !self.all_are_away() => {
                    for index in indexes {
                        all[index].places = vec![ASK_AGAIN.min(asks[index].line); asks[index].count as usize];
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

#[async_trait]
impl DeadLetters for Sharded {
    async fn letters(&self, asked: LettersAsked<'_>) -> Result<Letters, BackendError> {
        self.letters.call(|queue| async move { queue.letters(asked).await }).await
    }

    async fn remove_letters(&self, ids: &[String], after: Option<u64>) -> Result<u64, BackendError> {
        self.letters.call(|queue| async move { queue.remove_letters(ids, after).await }).await
    }

    async fn remove_all_letters(&self) -> Result<u64, BackendError> {
        self.letters.call(|queue| async move { queue.remove_all_letters().await }).await
    }
}
