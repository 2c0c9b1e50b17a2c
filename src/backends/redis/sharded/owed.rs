//! What a shard that is away is to be told when it is back.

use std::collections::HashSet;

use crate::backends::redis::RedisQueue;
use crate::model::delivery::DeliveryId;
use crate::ports::{BackendError, ClaimId, Queue as _, Settlement};

/// Bounded by what this process holds: of a shard that is away nothing new is claimed.
#[derive(Default)]
pub(super) struct Owed {
    settlement: Settlement,
    claims: HashSet<ClaimId>,
    deliveries: HashSet<DeliveryId>,
}

impl Owed {
    pub(super) fn is_empty(&self) -> bool {
        self.settlement.is_empty() && self.claims.is_empty() && self.deliveries.is_empty()
    }

    /// What is settled is held no longer.
    pub(super) fn settle(&mut self, settlement: Settlement) {
        for claim in &settlement.claims {
            self.claims.remove(claim);
        }
        for id in settlement.scheduled.iter().map(|(id, _)| id).chain(&settlement.unscheduled) {
            self.deliveries.remove(id);
        }
        self.settlement.merge(settlement);
    }

    pub(super) fn renew(&mut self, claims: impl IntoIterator<Item = ClaimId>, deliveries: impl IntoIterator<Item = DeliveryId>) {
        self.claims.extend(claims);
        self.deliveries.extend(deliveries);
    }

    /// Settles first: what was settled meanwhile must not be leased anew.
    pub(super) async fn pay(&self, queue: &RedisQueue) -> Result<(), BackendError> {
        queue.settle(&self.settlement).await?;
        let (claims, deliveries): (Vec<_>, Vec<_>) = (self.claims.iter().cloned().collect(), self.deliveries.iter().copied().collect());
        queue.renew(&claims, &deliveries).await
    }

    /// Adds what came later.
    pub(super) fn merge(&mut self, later: Self) {
        self.settle(later.settlement);
        self.renew(later.claims, later.deliveries);
    }
}
