//! Door 1: entries of the list become events, or dead letters.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Admission, Intake, WAIT};
use crate::model::dead_letter::DeadLetter;
use crate::model::event::{self, Event, EventKey, Reading};
use crate::pipeline::flight::{HeldClaim, Report};
use crate::pipeline::{panics, patience};
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
        let (mut released, mut again, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut admissions = self.admit(&claim.id, &keys).await?.into_iter();
        events.retain(|event| match admissions.next() {
            Some(Admission::Ours(Known::No)) => true,
            Some(Admission::Ours(known)) => {
                // It came through some door before: that one's copy counts, unless it was a dead letter.
                if known == Known::SetAside {
                    again.push(Arc::new(event.clone()));
                }
                released.push(event.key.clone());
                passed += 1;
                false
            }
            Some(Admission::Unknown) => {
                waiting.push(Arc::new(event.clone()));
                passed += 1;
                false
            }
            Some(Admission::Elsewhere) | None => {
                // The other claim holds the same event under its own lease, so this copy is not needed.
                passed += 1;
                false
            }
        });
        self.accept_again(&again).await?;
        self.accept_for_later(&waiting).await?;
        self.route(&held, events, false).await;
        if passed > 0 {
            self.sending.report(Report::Passed { claim: held, items: passed, released, dead }).await;
        }
        Some(())
    }

    /// Dead letters that were accepted once, and are enqueued again: from now on they are accepted as they are now.
    async fn accept_again(&self, events: &[Arc<Event>]) -> Option<()> {
        if events.is_empty() {
            return Some(());
        }
        let accept = || self.records.accept(events);
        patience::until_it_works("accepting dead letters again", &*self.observe, &self.stop, accept).await?;
        let offered: Vec<_> = events.iter().map(|event| (event.key.clone(), event.accepted_at)).collect();
        let offer = || self.queue.offer(&offered);
        patience::until_it_works("offering events", &*self.observe, &self.stop, offer).await.map(drop)
    }

    /// Events of which nobody can tell now whether they are being routed. In the records they are as durable as those of door 2, and of
    /// two that route one there, one counts; they are on offer when the part of the queue that they belong to is back.
    async fn accept_for_later(&self, events: &[Arc<Event>]) -> Option<()> {
        if events.is_empty() {
            return Some(());
        }
        let accept = || self.records.accept(events);
        patience::until_it_works("accepting events whose part of the queue is away", &*self.observe, &self.stop, accept).await?;
        let offered: Vec<_> = events.iter().map(|event| (event.key.clone(), event.accepted_at)).collect();
        if let Err(error) = self.queue.offer(&offered).await {
            tracing::debug!(%error, events = offered.len(), "the sweep offers them");
        }
        Some(())
    }

    /// The events of a claim, each once, and what is none.
    fn read(&self, claim: &Claim<Bytes>) -> (Vec<Event>, Vec<DeadLetter>) {
        let max_bytes = self.max_event_bytes;
        let reading = Reading { max_bytes, accepted_at: claim.claimed_at, new_id: None, tenant: None, traceparent: None };
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
