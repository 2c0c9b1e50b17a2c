//! Doors 2 and 3: events that are in the records already are routed.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Admission, Intake, WAIT};
use crate::model::clock;
use crate::model::dead_letter::DeadLetter;
use crate::model::event::EventKey;
use crate::pipeline::flight::{HeldClaim, Report};
use crate::pipeline::patience;
use crate::ports::{Accepted, Claim, Known};

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
                Admission::Ours(Known::Routed | Known::SetAside | Known::No) => released.push(key.clone()),
                // Whoever routes it either records it, or dies, and then the sweep offers it again.
                // Of what cannot be told now it learns when it can be.
                Admission::Elsewhere | Admission::Unknown => {}
            }
        }
        let load = || self.records.load_accepted(&ours, self.max_event_bytes);
        let loaded = patience::until_it_works("loading accepted events", &*self.observe, &self.stop, load).await?;
        let (mut events, mut too_large, mut found) = (Vec::with_capacity(loaded.len()), Vec::new(), HashSet::new());
        for accepted in loaded {
            match accepted {
                Accepted::Event(event) => {
                    found.insert(event.key.clone());
                    events.push(event);
                }
                Accepted::TooLarge { key, event_type, bytes } => {
                    found.insert(key.clone());
                    let letter = self.too_large(&key, &event_type, bytes);
                    too_large.push(Report::SetAside { claim: Arc::clone(&held), key, accepted: true, letter });
                }
            }
        }
        released.extend(ours.into_iter().filter(|key| !found.contains(key)));
        let passed = claim.items.len() - found.len();
        self.route(&held, events, true).await;
        for report in too_large {
            self.sending.report(report).await;
        }
        if passed > 0 {
            self.sending.report(Report::Passed { claim: held, items: passed, released, dead: Vec::new() }).await;
        }
        Some(())
    }

    /// The letter has all but the data: that stays in the records, where it is not read.
    fn too_large(&self, key: &EventKey, event_type: &str, bytes: u64) -> DeadLetter {
        let reason = format!("data has {bytes} bytes, and limits.max_event_bytes allows {}", self.max_event_bytes);
        tracing::warn!(tenant = &*key.tenant, event_id = &*key.id, reason, "an accepted event is set aside");
        let entry = serde_json::json!({"id": &*key.id, "event_type": event_type, "tenant": &*key.tenant}).to_string();
        DeadLetter { reason, class: "too_large", at: clock::now(), entry: entry.into() }
    }
}
