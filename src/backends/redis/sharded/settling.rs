//! Settling and renewing, shard by shard.
//!
//! Between shards there is an order only where it matters: dead letters come before their claims go. A crash between the others
//! is found by the sweep, or by who takes the claim over, as when it came before all of them.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::Sharded;
use super::places::{self, Place};
use crate::faults;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, ClaimId, Queue as _, Settlement};

/// What is to be renewed in one shard.
type Renewal = (Vec<ClaimId>, Vec<DeliveryId>);

impl Sharded {
    fn held(&self) -> MutexGuard<'_, Settlement> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn settle_parts(&self, settlement: &Settlement) -> Result<(), BackendError> {
        let mut all = settlement.clone();
        self.bury(&mut all).await?;
        faults::crash_point("buried");
        let parts = self.parts_of(all);
        let done = parts.into_iter().map(async |(place, part)| {
            let Some(shard) = self.at(place) else { return Ok(()) };
            let Err(error) = shard
                .call(|queue| {
                    let part = &part;
                    async move { queue.settle(part).await }
                })
                .await
            else {
                return Ok(());
            };
            Err((shard, part, error))
        });
        let failed: Vec<_> = join_all(done).await.into_iter().filter_map(Result::err).collect();
        let all_are_away = self.all_are_away();
        for (shard, part, error) in failed {
            match error {
                // Whoever asked does it again.
                error @ BackendError::Refused { .. } => return Err(error),
                error if all_are_away => return Err(error),
                error => shard.owe(&error, |owed| owed.settle(part)),
            }
        }
        Ok(())
    }

    /// Dead letters go to their list. Where that is away, they and the claims are held back.
    async fn bury(&self, settlement: &mut Settlement) -> Result<(), BackendError> {
        let before = std::mem::take(&mut *self.held());
        if before.dead.is_empty() && settlement.dead.is_empty() {
            settlement.claims.extend(before.claims);
            return Ok(());
        }
        let dead: Vec<_> = before.dead.iter().chain(&settlement.dead).cloned().collect();
        let letters = Settlement { dead, ..Settlement::default() };
        let buried = self
            .letters
            .call(|queue| {
                let letters = &letters;
                async move { queue.settle(letters).await }
            })
            .await;
        let Err(error) = buried else {
            settlement.claims.extend(before.claims);
            settlement.dead.clear();
            return Ok(());
        };
        let mut held = self.held();
        held.dead.extend(before.dead);
        held.claims.extend(before.claims);
        if self.all_are_away() || matches!(error, BackendError::Refused { .. }) {
            return Err(error);
        }
        held.dead.append(&mut settlement.dead);
        held.claims.append(&mut settlement.claims);
        Ok(())
    }

    /// Dead letters are not among them.
    fn parts_of(&self, all: Settlement) -> BTreeMap<Place, Settlement> {
        let mut parts: BTreeMap<Place, Settlement> = BTreeMap::new();
        let of_event = |key: &EventKey| Place::Shard(places::of_event(key, self.shards.len()));
        let of_delivery = |id| Place::Shard(places::of_delivery(id, self.shards.len()));
        for claim in all.claims {
            if let Some(place) = Place::of_claim(&claim) {
                parts.entry(place).or_default().claims.push(claim);
            }
        }
        for key in all.released {
            parts.entry(of_event(&key)).or_default().released.push(key);
        }
        for (id, at) in all.scheduled {
            parts.entry(of_delivery(id)).or_default().scheduled.push((id, at));
        }
        for id in all.unscheduled {
            parts.entry(of_delivery(id)).or_default().unscheduled.push(id);
        }
        for id in all.leased {
            parts.entry(of_delivery(id)).or_default().leased.push(id);
        }
        parts
    }

    pub(super) async fn renew_parts(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError> {
        let mut parts: BTreeMap<Place, Renewal> = BTreeMap::new();
        for claim in claims {
            if let Some(place) = Place::of_claim(claim) {
                parts.entry(place).or_default().0.push(claim.clone());
            }
        }
        for id in deliveries {
            parts.entry(Place::Shard(places::of_delivery(*id, self.shards.len()))).or_default().1.push(*id);
        }
        let renewed = parts.into_iter().map(async |(place, part)| {
            let Some(shard) = self.at(place) else { return Ok(()) };
            let renewed = shard
                .call(|queue| {
                    let (claims, deliveries) = &part;
                    async move { queue.renew(claims, deliveries).await }
                })
                .await;
            renewed.map_err(|error| (shard, part, error))
        });
        let failed: Vec<_> = join_all(renewed).await.into_iter().filter_map(Result::err).collect();
        let all_are_away = self.all_are_away();
        for (shard, (claims, deliveries), error) in failed {
            match error {
                error @ BackendError::Refused { .. } => return Err(error),
                error if all_are_away => return Err(error),
                error => shard.owe(&error, |owed| owed.renew(claims, deliveries)),
            }
        }
        // Who renews comes again and again, also when nothing is to be settled.
        if self.held().dead.is_empty() { Ok(()) } else { self.settle_parts(&Settlement::default()).await }
    }
}
