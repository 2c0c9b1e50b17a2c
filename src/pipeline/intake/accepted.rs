//! Doors 2 and 3: events that are in the records already are routed.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Admission, Intake, WAIT};
use crate::model::event::EventKey;
use crate::pipeline::flight::{HeldClaim, Report};
use crate::pipeline::patience;
use crate::ports::{Claim, Known};

impl Intake {
    /// Claims accepted events until it is time to stop.
    pub(in crate::pipeline) async fn accepted(self: Arc<Self>) {
        self.claim_loop("claiming accepted events", |max| self.queue.claim_accepted(max, WAIT), |claim| self.route_accepted(claim)).await;
    }

    pub(super) async fn route_accepted(&self, claim: Claim<EventKey>) -> Option<()> {
        self.leases.hold_claim(&claim.id);
        let held = HeldClaim::new(claim.id.clone(), claim.items.len());
        let keys: Vec<EventKey> = claim.items.iter().collect::<HashSet<_>>().into_iter().cloned().collect();
        let (mut ours, mut released) = (Vec::with_capacity(keys.len()), Vec::new());
        for (key, admission) in keys.iter().zip(self.admit(&claim.id, &keys).await?) {
            match admission {
                Admission::Ours(Known::Accepted) => ours.push(key.clone()),
                Admission::Ours(Known::Routed | Known::No) => released.push(key.clone()),
                // Whoever routes it either records it, or dies, and then the sweep offers it again.
                Admission::Elsewhere => {}
            }
        }
        let load = || self.records.load_accepted(&ours);
        let events = patience::until_it_works("loading accepted events", &*self.observe, &self.stop, load).await?;
        let loaded: HashSet<_> = events.iter().map(|event| event.key.clone()).collect();
        released.extend(ours.into_iter().filter(|key| !loaded.contains(key)));
        let passed = claim.items.len() - events.len();
        self.route(&held, events, true).await;
        if passed > 0 {
            self.sending.report(Report::Passed { claim: held, items: passed, released, dead: Vec::new() }).await;
        }
        Some(())
    }
}
