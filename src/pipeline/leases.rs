//! What this process holds under a lease. The settler renews it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::delivery::DeliveryId;
use crate::ports::ClaimId;

#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<Held>,
    renew: Notify,
}

#[derive(Default)]
struct Held {
    claims: HashSet<ClaimId>,
    deliveries: HashSet<DeliveryId>,
}

impl Leases {
    fn state(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold_claim(&self, id: &ClaimId) {
        self.state().claims.insert(id.clone());
    }

    /// Answers those that were not held before.
    pub(super) fn hold_deliveries(&self, ids: &[DeliveryId]) -> Vec<DeliveryId> {
        let mut state = self.state();
        ids.iter().copied().filter(|id| state.deliveries.insert(*id)).collect()
    }

    pub(super) fn claims(&self) -> Vec<ClaimId> {
        self.state().claims.iter().cloned().collect()
    }

    pub(super) fn release(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) {
        let mut state = self.state();
        for claim in claims {
            state.claims.remove(claim);
        }
        for delivery in deliveries {
            state.deliveries.remove(delivery);
        }
    }

    /// Has everything renewed at once.
    pub(super) fn renew_now(&self) {
        self.renew.notify_one();
    }

    pub(super) async fn asked_to_renew(&self) {
        self.renew.notified().await;
    }

    pub(super) fn held(&self) -> (Vec<ClaimId>, Vec<DeliveryId>) {
        let state = self.state();
        (state.claims.iter().cloned().collect(), state.deliveries.iter().copied().collect())
    }
}
