//! Reservations. Each is in the shard of its event, so that one that comes through several shards is one; the claim that holds it is where
//! its entry came from, and only there its lease tells whether it lives. Scripts cannot look at both, so it takes steps:
//!
//! 1. the claim lives; 2. what nobody holds becomes ours; 3. of those who hold the rest one asks, where they were claimed, whether they live; 4. what
//!    is held by one that does not becomes ours if it is still held by that one; otherwise once more from 3.
//!
//! A holder that lives after it was seen to hold the event has its entry under a lease: it is recorded by it or taken over from it.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;

use super::Sharded;
use super::places::{self, Place};
use crate::backends::redis::RedisQueue;
use crate::backends::redis::queue::CHUNK;
use crate::model::event::EventKey;
use crate::ports::{BackendError, ClaimId, Reserved};

/// How often holders may turn out to be gone while one asks, before it is left open who it is.
const ROUNDS: usize = 5;

/// An event that is to be reserved.
#[derive(Clone)]
struct Wanted {
    /// Its place in the question.
    index: usize,
    member: String,
    /// A claim that holds it and is gone, or nothing.
    gone: String,
}

impl Sharded {
    pub(super) async fn reserve_events(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<Reserved>, BackendError> {
        let mut answers = vec![Reserved::Unknown; keys.len()];
        match self.living(std::slice::from_ref(claim)).await.get(&*claim.0) {
            Some(true) => {}
            Some(false) => return Ok(vec![Reserved::Elsewhere; keys.len()]),
            None => return self.unless_all_are_away(answers),
        }
        let mut open: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
        for (index, key) in keys.iter().enumerate() {
            let wanted = Wanted { index, member: key.to_member(), gone: String::new() };
            open.entry(places::of_event(key, self.shards.len())).or_default().push(wanted);
        }
        for _ in 0..ROUNDS {
            let held = self.ask(claim, &open, &mut answers).await?;
            let holders: Vec<_> = held.values().flatten().map(|wanted| ClaimId(wanted.gone.as_str().into())).collect();
            let living = self.living(&holders).await;
            open = held;
            for wanted in open.values_mut() {
                wanted.retain(|wanted| match living.get(wanted.gone.as_str()) {
                    Some(true) => {
                        answers[wanted.index] = Reserved::Elsewhere;
                        false
                    }
                    Some(false) => true,
                    None => false,
                });
            }
            open.retain(|_, wanted| !wanted.is_empty());
            if open.is_empty() {
                break;
            }
        }
        self.unless_all_are_away(answers)
    }

    fn unless_all_are_away(&self, answers: Vec<Reserved>) -> Result<Vec<Reserved>, BackendError> {
        if self.all_are_away() { Err(Self::nobody_answers()) } else { Ok(answers) }
    }

    /// Reserves what can be. Answers the rest, with who holds it.
    async fn ask(
        &self,
        claim: &ClaimId,
        open: &BTreeMap<usize, Vec<Wanted>>,
        answers: &mut [Reserved],
    ) -> Result<BTreeMap<usize, Vec<Wanted>>, BackendError> {
        let asked = open.iter().map(async |(shard, wanted)| {
            let holders = self.shards[*shard].call(|queue| async move { queue.reserve_across(claim, wanted).await }).await;
            (*shard, wanted, holders)
        });
        let mut held: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
        for (shard, wanted, holders) in join_all(asked).await {
            let holders = match holders {
                Ok(holders) => holders,
                Err(BackendError::Unavailable { .. }) => continue,
                Err(error) => return Err(error),
            };
            for (wanted, holder) in wanted.iter().zip(holders) {
                if holder.is_empty() {
                    answers[wanted.index] = Reserved::Ours;
                } else {
                    held.entry(shard).or_default().push(Wanted { gone: holder, ..wanted.clone() });
                }
            }
        }
        Ok(held)
    }

    /// Which of these claims have a lease. Those of a shard that is away are left out.
    async fn living(&self, claims: &[ClaimId]) -> HashMap<Box<str>, bool> {
        let mut by_place: BTreeMap<Option<Place>, Vec<&ClaimId>> = BTreeMap::new();
        for claim in claims {
            by_place.entry(Place::of_claim(claim).filter(|place| self.at(*place).is_some())).or_default().push(claim);
        }
        let asked = by_place.into_iter().map(async |(place, claims)| {
            // What no worker of these shards claimed nobody holds.
            let Some(shard) = place.and_then(|place| self.at(place)) else { return (vec![false; claims.len()], claims) };
            let living = shard.call(|queue| {
                let claims = &claims;
                async move { queue.living(claims).await }
            });
            (living.await.unwrap_or_default(), claims)
        });
        let answers = join_all(asked).await;
        answers.into_iter().flat_map(|(living, claims)| claims.into_iter().map(|claim| Box::from(&*claim.0)).zip(living)).collect()
    }
}

impl RedisQueue {
    /// Of each event its holder, or nothing where that is this claim.
    async fn reserve_across(&self, claim: &ClaimId, wanted: &[Wanted]) -> Result<Vec<String>, BackendError> {
        let mut holders = Vec::with_capacity(wanted.len());
        for chunk in wanted.chunks(CHUNK) {
            let mut call = self.scripts.reserve_across.key(&self.keys.routing);
            call.arg(&*claim.0);
            for wanted in chunk {
                call.arg(&wanted.member).arg(&wanted.gone);
            }
            let found: Vec<String> = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            holders.extend(found);
        }
        Ok(holders)
    }

    async fn living(&self, claims: &[&ClaimId]) -> Result<Vec<bool>, BackendError> {
        let mut command = redis::cmd("ZMSCORE");
        command.arg(&self.keys.claims);
        for claim in claims {
            command.arg(&*claim.0);
        }
        let leases: Vec<Option<f64>> = command.query_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        Ok(leases.into_iter().map(|lease| lease.is_some()).collect())
    }
}
