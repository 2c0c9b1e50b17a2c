//! The three ways into this process: entries of door 1, accepted events, and due deliveries. Each is a loop that claims when there
//! is room, and each claim becomes flights.

mod accepted;
mod due;
mod entries;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::catalog::LiveCatalog;
use super::flight::{Flight, HeldClaim, Origin, Report, Routing};
use super::leases::Leases;
use super::panics;
use super::patience::{self, Patience};
use super::sending::Sending;
use crate::faults;
use crate::model::clock;
use crate::model::dead_letter::DeadLetter;
use crate::model::event::{Event, EventKey};
use crate::ports::{BackendError, Claim, ClaimId, Known, Matched, Observe, Queue, Records, Reserved, TakenOver, Traces};

/// How long one blocking claim waits. Shutting down waits for it.
const WAIT: Duration = Duration::from_secs(1);

/// After the queue was away, nothing is taken over for so long: its holders may live, and renew their leases as soon as they notice that it is
/// back. Longer than any of them waits between two tries.
pub(super) const CALM: Duration = Duration::from_secs(10);

pub(super) struct Intake {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) records: Arc<dyn Records>,
    pub(super) catalog: Arc<LiveCatalog>,
    pub(super) sending: Arc<Sending>,
    pub(super) budget: Arc<Budget>,
    pub(super) leases: Arc<Leases>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) traces: Option<Arc<dyn Traces>>,
    pub(super) claim_batch: usize,
    pub(super) max_event_bytes: usize,
    /// Cancelled as soon as the others were asked what they know of endpoints. Nothing is claimed before: a new worker would find out for itself.
    pub(super) asked: CancellationToken,
    pub(super) stop: CancellationToken,
}

impl Intake {
    /// Room for a claim, or `None` when it is time to stop.
    pub(super) async fn room(&self) -> Option<usize> {
        let room = async {
            self.asked.cancelled().await;
            self.budget.room().await
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            room = room => Some(room.min(self.claim_batch)),
        }
    }

    /// Claims with `claim` and hands what comes to `route`, until it is time to stop.
    async fn claim_loop<T, C, R>(&self, what: &str, claim: impl Fn(usize) -> C, route: impl Fn(Claim<T>) -> R)
    where
        C: Future<Output = Result<Option<Claim<T>>, BackendError>>,
        R: Future<Output = Option<()>>,
    {
        let mut patience = Patience::new();
        while let Some(max) = self.room().await {
            match claim(max).await {
                Ok(claimed) => {
                    patience.reset();
                    let Some(claimed) = claimed else { continue };
                    faults::crash_point("claimed");
                    if route(claimed).await.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    if !patience.after(&error, what, &*self.observe, &self.stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// Goes on with what a worker that is gone had claimed. `None` when it is time to stop.
    pub(super) async fn resume(&self, taken: TakenOver) -> Option<()> {
        match taken {
            TakenOver::Entries(claim) => self.route_entries(claim).await,
            TakenOver::Accepted(claim) => self.route_accepted(claim).await,
        }
    }

    /// Which of these events this claim may route: nobody else does, and nobody did.
    async fn admit(&self, claim: &ClaimId, keys: &[EventKey]) -> Option<Vec<Admission>> {
        let reserve = || self.queue.reserve(claim, keys);
        let ours = patience::until_it_works("reserving events", &*self.observe, &self.stop, reserve).await?;
        faults::crash_point("reserved");
        let known = || self.records.known(keys);
        let known = patience::until_it_works("looking events up", &*self.observe, &self.stop, known).await?;
        faults::crash_point("admitted");
        let admission = |(reserved, known): (Reserved, Known)| match reserved {
            Reserved::Ours => Admission::Ours(known),
            Reserved::Elsewhere => Admission::Elsewhere,
            Reserved::Unknown => Admission::Unknown,
        };
        Some(ours.into_iter().zip(known).map(admission).collect())
    }

    /// Matches events and sends their deliveries on their way.
    async fn route(&self, claim: &Arc<HeldClaim>, events: Vec<Event>, accepted: bool) {
        let mut flights = Vec::with_capacity(events.len());
        let mut unsent = Vec::new();
        for event in events {
            let event = Arc::new(event);
            let since = self.traces.is_some().then(clock::now);
            let matched = panics::caught(|| {
                faults::panic_at("matching", &event.key.id);
                let endpoints = self.catalog.read(|index| index.matching(&event.key.tenant, &event.event_type));
                (Routing::new(Arc::clone(&event), accepted, Arc::clone(claim), &endpoints), endpoints)
            });
            let (routing, endpoints) = match matched {
                Ok(matched) => matched,
                Err(panic) => {
                    let letter = DeadLetter::of_event(&event, format!("matching it made the worker panic: {panic}"), "panicked");
                    let trace_id = event.traceparent.map(|context| tracing::field::display(context.trace_id));
                    tracing::error!(event_id = &*event.key.id, trace_id, reason = letter.reason, "an event is set aside");
                    unsent.push(Report::SetAside { claim: Arc::clone(claim), key: event.key.clone(), accepted, letter });
                    continue;
                }
            };
            self.observe.triggered(&event.event_type, 1);
            if let (Some(traces), Some(since)) = (&self.traces, since) {
                traces.matched(Matched { event: &event, accepted, since, endpoints: endpoints.len() });
            }
            if endpoints.is_empty() {
                unsent.push(Report::Unmatched(routing));
                continue;
            }
            for (index, endpoint) in endpoints.into_iter().enumerate() {
                let (id, _) = routing.deliveries[index];
                let origin = Origin::Routing { routing: Arc::clone(&routing), index };
                flights.push(Flight { id, endpoint, event: Arc::clone(&event), attempts_before: 0, origin, slot: None });
            }
        }
        self.budget.take(flights.len());
        self.sending.offer(flights).await;
        for report in unsent {
            self.sending.report(report).await;
        }
    }
}

/// What may be done with one event of a claim.
enum Admission {
    /// Reserved, and this is known of it.
    Ours(Known),
    /// Another claim is routing it right now.
    Elsewhere,
    /// Whether another claim is routing it cannot be told now.
    Unknown,
}
