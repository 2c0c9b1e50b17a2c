//! What follows from attempts for endpoints, and what their owners are told of it.

use std::sync::Arc;
use std::time::Duration;

use super::health::{Change, Health};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{DeliveryState, Status};
use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::operational::{self, DELIVERY_FAILED, ENDPOINT_DISABLED, ENDPOINT_RECOVERED};
use crate::model::outcome::Attempt;
use crate::pipeline::LiveCatalog;
use crate::pipeline::flight::Flight;
use crate::pipeline::matching::Index;
use crate::pipeline::retry::Verdict;
use crate::ports::{Batch, Disabling, Recovery};

const GONE: &str = "the receiver answered 410 Gone";

pub(super) struct Owners {
    catalog: Arc<LiveCatalog>,
    health: Health,
}

impl Owners {
    pub(super) fn new(catalog: Arc<LiveCatalog>, disable_after: Duration) -> Self {
        Self { catalog, health: Health::new(disable_after) }
    }

    /// How long until [`Owners::write`] may have something to write without anything being reported; `None` when it will not.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.health.interval()
    }

    pub(super) fn attempted(&mut self, flight: &Flight, attempt: &Attempt, verdict: Verdict) {
        let (id, operational) = (flight.endpoint.id, operational::is_operational(&flight.event.event_type));
        if verdict == Verdict::Gone {
            return self.health.gone(id, GONE, operational);
        }
        let at = clock::after(attempt.started_at, attempt.took);
        let health = &mut self.health;
        self.catalog.read(|index| match (index.get(id), attempt.outcome.error()) {
            (None, _) => {}
            (Some(endpoint), None) => health.succeeded(endpoint, at, operational),
            (Some(endpoint), Some(error)) => health.failed(endpoint, at, &error, operational),
        });
    }

    /// The event that tells of a delivery that failed with its last attempt, if somebody wants to know. One that was stopped has a
    /// reason of its own, and whoever stopped it tells why.
    pub(super) fn told(&self, event: &Event, state: &DeliveryState) -> Option<Arc<Event>> {
        if state.status != Status::Failed || state.reason.is_some() || operational::is_operational(&event.event_type) {
            return None;
        }
        self.catalog.read(|index| {
            let name = || index.get(state.endpoint_id).map_or("", |endpoint| endpoint.spec.name.as_str());
            index
                .is_wanted(&event.key.tenant, DELIVERY_FAILED, None)
                .then(|| Arc::new(operational::delivery_failed(event, state, name(), clock::now())))
        })
    }

    /// Adds to a commit what became of endpoints.
    pub(super) fn write(&mut self, batch: &mut Batch, now: Timestamp) {
        let health = &mut self.health;
        self.catalog.read(|index| {
            let known = |id: i64| index.get(id).filter(|endpoint| endpoint.spec.is_active).map(|endpoint| endpoint.failing_since);
            batch.failing.extend(health.lasting(now, known));
            for (endpoint_id, change, operational) in health.changes() {
                // An operational delivery causes no operational event: it could go on like that for ever.
                let endpoint = index.get(endpoint_id).filter(|_| !operational);
                match change {
                    Change::Recovered { at, failing_since } => {
                        let make = |endpoint: &Endpoint| operational::endpoint_recovered(endpoint, failing_since, now);
                        let event = told(index, endpoint, ENDPOINT_RECOVERED, None, make);
                        batch.recovered.push(Recovery { endpoint_id, at, event });
                    }
                    Change::Disabled { failing_since, reason } => {
                        let make = |endpoint: &Endpoint| operational::endpoint_disabled(endpoint, &reason, failing_since, now);
                        // The endpoint itself gets nothing more.
                        let event = told(index, endpoint, ENDPOINT_DISABLED, Some(endpoint_id), make);
                        batch.disabled.push(Disabling { endpoint_id, reason, failing_since, event });
                    }
                }
            }
        });
    }
}

/// The event about an endpoint, if somebody of its tenant wants it.
fn told(
    index: &Index,
    endpoint: Option<&Arc<Endpoint>>,
    event_type: &str,
    but_not: Option<i64>,
    make: impl FnOnce(&Endpoint) -> Event,
) -> Option<Arc<Event>> {
    let endpoint = endpoint.filter(|endpoint| index.is_wanted(&endpoint.tenant, event_type, but_not))?;
    Some(Arc::new(make(endpoint)))
}
