//! Settles with the queue what was committed, and renews what is held. One task does both, beside the recorder: a renewal that
//! overtook a settlement would replace a delivery's due time by the end of a lease that nobody holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::leases::Leases;
use super::patience;
use crate::faults;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{Observe, Queue, Settlement};

/// What follows one commit.
#[derive(Default)]
pub(super) struct Settling {
    pub(super) settlement: Settlement,
    /// Deliveries that this process holds no longer once that is done.
    pub(super) ended: Vec<DeliveryId>,
    /// Events that the commit may have accepted.
    pub(super) offered: Vec<(EventKey, Timestamp)>,
}

/// How many commits may be ahead of the queue. They share one settlement.
pub(super) const AHEAD: usize = 64;

pub(super) struct Settler {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) leases: Arc<Leases>,
    pub(super) lease: Duration,
    pub(super) observe: Arc<dyn Observe>,
}

impl Settler {
    /// Runs until the recorder is gone and all is settled; `abort` gives up on a queue that is away.
    pub(super) async fn run(self, mut commits: mpsc::Receiver<Settling>, abort: CancellationToken) {
        let mut held = Vec::with_capacity(AHEAD);
        let mut renew_at = Instant::now() + self.lease / 3;
        loop {
            tokio::select! {
                received = commits.recv_many(&mut held, AHEAD) => {
                    if received == 0 || !self.settle(&mut held, &abort).await {
                        return;
                    }
                }
                () = sleep_until(renew_at) => {}
                () = self.leases.asked_to_renew() => renew_at = Instant::now(),
            }
            if Instant::now() >= renew_at {
                self.renew(&abort).await;
                renew_at = Instant::now() + self.lease / 3;
            }
        }
    }

    async fn settle(&self, held: &mut Vec<Settling>, abort: &CancellationToken) -> bool {
        let mut all = Settling::default();
        for commit in held.drain(..) {
            all.settlement.merge(commit.settlement);
            all.ended.extend(commit.ended);
            all.offered.extend(commit.offered);
        }
        // Before, not after: what becomes due again at once may be claimed again at once, and is then held anew. Nothing is renewed meanwhile.
        self.leases.release(&all.settlement.claims, &all.ended);
        let settle = || self.queue.settle(&all.settlement);
        if !all.settlement.is_empty() && patience::until_it_works("settling", &*self.observe, abort, settle).await.is_none() {
            return false;
        }
        if !all.settlement.is_empty() {
            faults::crash_point("settled");
        }
        if !all.offered.is_empty()
            && let Err(error) = self.queue.offer(&all.offered).await
        {
            tracing::warn!(%error, events = all.offered.len(), "events of our own are recorded, and go out with the next sweep");
        }
        for letter in &all.settlement.dead {
            self.observe.dead_letter(letter.class);
        }
        true
    }

    async fn renew(&self, abort: &CancellationToken) {
        let (claims, deliveries) = self.leases.held();
        if claims.is_empty() && deliveries.is_empty() {
            return;
        }
        let renew = || self.queue.renew(&claims, &deliveries);
        patience::until_it_works("renewing leases", &*self.observe, abort, renew).await;
    }
}
