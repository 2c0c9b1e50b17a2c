//! Removes what is over and older than it has to be kept. Safe on every replica at once, and never in a hurry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::patience::{self, Patience};
use super::worker::Parts;
use crate::config::RetentionSettings;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Catalog, Observe, Records};

/// Rows that are looked at in one go.
const PAGE: usize = 1000;
/// After each page it rests for so many times as long as the page took, and so has a fifth of one connection at most.
const REST: u32 = 4;

/// What is counted is mostly about deliveries that were created in this last time: their hours are left alone.
const OPEN: TimeDelta = TimeDelta::hours(1);

pub(super) struct Retention {
    pub(super) records: Arc<dyn Records>,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) settings: RetentionSettings,
}

/// Where it is in the records. Deliveries come first: an event stays for as long as one of its deliveries does.
enum Place {
    Deliveries(Option<DeliveryId>),
    Events(Option<(Timestamp, EventKey)>),
    /// Secrets that were replaced.
    Secrets,
    /// Requests with an `Idempotency-Key`.
    Keyed,
    Totals,
}

impl Retention {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            records: Arc::clone(&parts.records),
            catalog: parts.catalog.clone(),
            observe: Arc::clone(&parts.observe),
            settings: parts.retention,
        }
    }

    /// Goes through all that is old enough, again every `retention.interval`, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut patience = Patience::new();
        let start = || (clock::now() - self.settings.keep, Place::Deliveries(None));
        let (mut before, mut place) = start();
        loop {
            let started = Instant::now();
            let rest = match self.forget(before, &place).await {
                Ok(next) => {
                    patience.reset();
                    if let Some(next) = next {
                        place = next;
                        started.elapsed() * REST
                    } else {
                        (before, place) = start();
                        // Replicas that started together do not look together.
                        patience::jittered(self.settings.interval, 0.3)
                    }
                }
                Err(error) => {
                    if !patience.after(&error, "removing what is old", &*self.observe, &stop).await {
                        return;
                    }
                    Duration::ZERO
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Where to go on; `None` at the end.
    async fn forget(&self, before: Timestamp, place: &Place) -> Result<Option<Place>, BackendError> {
        match place {
            Place::Deliveries(from) => {
                let forgotten = self.records.forget_deliveries(before, *from, PAGE).await?;
                self.observe.forgot(0, forgotten.removed);
                Ok(Some(forgotten.next.map_or(Place::Events(None), |next| Place::Deliveries(Some(next)))))
            }
            Place::Events(from) => {
                let forgotten = self.records.forget_events(before, from.as_ref(), PAGE).await?;
                self.observe.forgot(forgotten.removed, 0);
                Ok(Some(forgotten.next.map_or(Place::Secrets, |next| Place::Events(Some(next)))))
            }
            Place::Secrets => {
                self.catalog.forget_secrets(clock::now()).await?;
                Ok(Some(Place::Keyed))
            }
            Place::Keyed => {
                let forgotten = self.records.forget_keyed(clock::now() - self.settings.keyed, PAGE).await?;
                Ok(Some(if forgotten < PAGE as u64 { Place::Totals } else { Place::Keyed }))
            }
            Place::Totals => {
                let more = self.records.put_totals_together(clock::now() - OPEN, PAGE).await?;
                Ok(more.then_some(Place::Totals))
            }
        }
    }
}
