//! Settles with the queue what was committed, and renews what is held. One task does both, beside the recorder: a renewal that
//! overtook a settlement would replace a delivery's due time by the end of a lease that nobody holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::leases::Leases;
use super::patience::{self, Patience};
use crate::faults;
use crate::model::delivery::DeliveryId;
use crate::ports::{Observe, Queue, Settlement};

/// What follows one commit.
#[derive(Default)]
pub(super) struct Settling {
    pub(super) settlement: Settlement,
    /// Deliveries that this process holds no longer once that is done.
    pub(super) ended: Vec<DeliveryId>,
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
        let mut renew_at = Instant::now() + self.lease / 3;
        loop {
            let mut all = Settling::default();
            tokio::select! {
                received = receive(&mut commits, &mut all) => {
                    if !received || !self.settle(all, &mut commits, &abort).await {
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

    /// While the queue is away, what is committed meanwhile is added: recording must not wait for it. How much that can be is
    /// bounded by what this process holds.
    async fn settle(&self, mut all: Settling, commits: &mut mpsc::Receiver<Settling>, abort: &CancellationToken) -> bool {
        let mut patience = Patience::new();
        let mut open = true;
        while !all.settlement.is_empty() || !all.ended.is_empty() {
            // Before, not after: what becomes due again at once may be claimed again at once, and is then held anew. Nothing is renewed meanwhile.
            self.leases.release(&all.settlement.claims, &std::mem::take(&mut all.ended));
            let Err(error) = self.queue.settle(&all.settlement).await else { break };
            let waited = patience.after(&error, "settling", &*self.observe, abort);
            tokio::pin!(waited);
            loop {
                tokio::select! {
                    waited = &mut waited => if waited { break } else { return false },
                    received = receive(commits, &mut all), if open => open = received,
                }
            }
        }
        patience.reset();
        if !all.settlement.is_empty() {
            faults::crash_point("settled");
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

/// Adds what was committed. False when nothing more will come.
async fn receive(commits: &mut mpsc::Receiver<Settling>, all: &mut Settling) -> bool {
    let mut received = Vec::new();
    let count = commits.recv_many(&mut received, AHEAD).await;
    for commit in received {
        all.settlement.merge(commit.settlement);
        all.ended.extend(commit.ended);
    }
    count > 0
}
