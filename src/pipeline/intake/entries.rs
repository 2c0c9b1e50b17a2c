//! Door 1: entries of the list become events, or dead letters.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Admission, Intake, WAIT};
use crate::model::dead_letter::DeadLetter;
use crate::model::event::{self, Event, EventKey, Reading};
use crate::pipeline::flight::{HeldClaim, Report};
use crate::pipeline::panics;
use crate::ports::{Claim, Known};

impl Intake {
    /// Claims entries until it is time to stop.
    pub(in crate::pipeline) async fn entries(self: Arc<Self>) {
        self.claim_loop("claiming entries", |max| self.queue.claim_entries(max, WAIT), |claim| self.route_entries(claim)).await;
    }

    pub(super) async fn route_entries(&self, claim: Claim<Bytes>) -> Option<()> {
        self.leases.hold_claim(&claim.id);
        let held = HeldClaim::new(claim.id.clone(), claim.items.len());
        let (mut events, dead) = self.read(&claim);
        let keys: Vec<_> = events.iter().map(|event| event.key.clone()).collect();
        let mut passed = claim.items.len() - events.len();
        let (mut released, mut again) = (Vec::new(), HashSet::new());
        let mut admissions = self.admit(&claim.id, &keys).await?.into_iter();
        events.retain(|event| match admissions.next() {
            Some(Admission::Ours(Known::No)) => true,
            // A dead letter that somebody enqueued again.
            Some(Admission::Ours(Known::SetAside)) => again.insert(event.key.clone()),
            Some(Admission::Ours(Known::Accepted | Known::Routed)) => {
                // It came through some door before: that one's copy counts.
                released.push(event.key.clone());
                passed += 1;
                false
            }
            Some(Admission::Elsewhere) | None => {
                // The other claim holds the same event under its own lease, so this copy is not needed.
                passed += 1;
                false
            }
        });
        let (again, new) = events.into_iter().partition(|event| again.contains(&event.key));
        self.route(&held, new, false).await;
        self.route(&held, again, true).await;
        if passed > 0 {
            self.sending.report(Report::Passed { claim: held, items: passed, released, dead }).await;
        }
        Some(())
    }

    /// The events of a claim, each once, and what is none.
    fn read(&self, claim: &Claim<Bytes>) -> (Vec<Event>, Vec<DeadLetter>) {
        let reading = Reading { max_bytes: self.max_event_bytes, accepted_at: claim.claimed_at, new_id: None, tenant: None };
        let mut seen: HashSet<EventKey> = HashSet::with_capacity(claim.items.len());
        let (mut events, mut dead) = (Vec::with_capacity(claim.items.len()), Vec::new());
        for entry in &claim.items {
            match panics::caught(|| event::parse(entry, reading)) {
                Ok(Ok(event)) => {
                    if seen.insert(event.key.clone()) {
                        events.push(event);
                    }
                }
                Ok(Err(rejection)) => dead.push(buried(entry, rejection.to_string(), rejection.class(), claim)),
                Err(panic) => dead.push(buried(entry, format!("reading it made the worker panic: {panic}"), "panicked", claim)),
            }
        }
        (events, dead)
    }
}

fn buried(entry: &Bytes, reason: String, class: &'static str, claim: &Claim<Bytes>) -> DeadLetter {
    tracing::warn!(reason, bytes = entry.len(), "an entry is no event: it is kept as a dead letter");
    DeadLetter { reason, class, at: claim.claimed_at, entry: entry.clone() }
}
