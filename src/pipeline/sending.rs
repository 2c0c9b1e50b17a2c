//! Sends what has its turn: a task per running request, which takes the next flight when it is done.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::{DisplayValue, display};

use super::budget::Budget;
use super::catalog::LiveCatalog;
use super::flight::{Flight, Landing, Report};
use super::lanes::{Away, Lanes, Sign, Start, Turns};
use super::limits::Limits;
use super::retry::{self, Verdict};
use super::returns::Returns;
use super::{panics, patience};
use crate::config::RetrySettings;
use crate::faults;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::outcome::Attempt;
use crate::model::trace::{TraceContext, TraceId};
use crate::ports::{Attempted, Load, Observe, Traces, Wait};
use crate::sender::{Made, Sender, Target};

/// How long what cannot be signed waits before it is looked at again.
const LOCKED: Duration = Duration::from_secs(10);

pub(super) struct Sending {
    /// Where flights of endpoints with a rate limit wait before they go into their lanes.
    pub(super) limits: Limits,
    pub(super) lanes: Lanes,
    pub(super) sender: Sender,
    pub(super) catalog: Arc<LiveCatalog>,
    pub(super) retry: RetrySettings,
    pub(super) returns: Mutex<Returns>,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) budget: Arc<Budget>,
    pub(super) traces: Option<Arc<dyn Traces>>,
    pub(super) tasks: TaskTracker,
    /// Ends attempts that still run when the time for shutting down is over.
    pub(super) abort: CancellationToken,
}

impl Sending {
    /// Takes flights in and starts those whose turn it is.
    pub(super) async fn offer(self: &Arc<Self>, mut flights: Vec<Flight>) {
        let limited = |flight: &mut Flight| flight.endpoint.spec.rate_limit.is_some();
        if flights.iter_mut().any(limited) {
            let limited = flights.extract_if(.., limited).collect();
            self.wait_for_slots(limited).await;
        }
        self.go(flights).await;
    }

    /// Lets flights into their lanes that have their slot, or need none.
    pub(super) async fn go(self: &Arc<Self>, flights: Vec<Flight>) {
        let turns = self.lanes.offer(flights);
        self.take(turns).await;
    }

    async fn take(self: &Arc<Self>, turns: Turns) {
        self.start(turns.starts);
        self.park(turns.away).await;
        self.wait_for_slots(turns.late).await;
    }

    async fn wait_for_slots(&self, flights: Vec<Flight>) {
        let refused = self.limits.add(flights);
        self.park(refused.into_iter().map(|flight| (flight, Duration::ZERO, Wait::Stopping)).collect()).await;
    }

    pub(super) fn start(self: &Arc<Self>, starts: Vec<Start>) {
        for start in starts {
            self.tasks.spawn(Arc::clone(self).run(start));
        }
    }

    async fn run(self: Arc<Self>, start: Start) {
        let mut next = Some(start);
        while let Some(Start { flight, target, at }) = next {
            let endpoint_id = flight.endpoint.id;
            let (landing, sign) = self.attempt(&flight, &target).await;
            faults::crash_point("sent");
            next = self.lanes.finish(endpoint_id, at, sign);
            self.report(Report::Landed { flight, landing }).await;
        }
    }

    async fn attempt(&self, flight: &Flight, target: &Target) -> (Landing, Sign) {
        let number = flight.attempts_before + 1;
        // Our own trouble: it was logged when the endpoint was read, and what is owed waits until somebody brings the key.
        if target.is_locked() {
            self.observe.waits(Wait::Locked, 1);
            return (Landing::Parked { until: clock::after(clock::now(), patience::jittered(LOCKED, 0.3)) }, Sign::Nothing);
        }
        let trace = match &self.traces {
            Some(traces) => Some(traces.of_attempt(&flight.event, flight.id, number)),
            None => flight.event.traceparent,
        };
        // A panic in one request is our trouble with that one alone.
        let sending = AssertUnwindSafe(async {
            faults::panic_at("sending", &flight.event.key.id);
            self.sender.send(target, Made { delivery: flight.id, event: &flight.event, attempt: number, trace }).await
        })
        .catch_unwind();
        let attempt = tokio::select! {
            biased;
            () = self.abort.cancelled() => {
                self.observe.waits(Wait::Stopping, 1);
                return (Landing::Parked { until: clock::now() }, Sign::Nothing);
            }
            attempt = sending => attempt,
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(panic) => {
                let reason = format!("sending it made the worker panic: {}", panics::message(&*panic));
                let (endpoint_id, trace_id) = (flight.endpoint.id, trace_id(trace));
                tracing::error!(delivery_id = %flight.id, trace_id, endpoint_id, reason, "a delivery has failed");
                return (Landing::Broken { reason }, Sign::Nothing);
            }
        };
        self.tell(flight, number, &attempt, trace);
        let sign = Sign::of(&attempt.outcome, self.retry.max_delay);
        let verdict = retry::verdict(&flight.endpoint.spec, self.retry, number, &attempt.outcome, clock::now());
        if matches!(verdict, Verdict::RetryAt(_)) {
            // Nothing waits for an endpoint that was disabled or removed while the request ran.
            if let Err(reason) = self.catalog.active(flight.endpoint.id) {
                return (Landing::Stopped { last: Some(attempt), reason }, sign);
            }
            self.observe.waits(Wait::Retry, 1);
        }
        (Landing::Attempted { attempt, verdict }, sign)
    }

    fn tell(&self, flight: &Flight, number: u32, attempt: &Attempt, trace: Option<TraceContext>) {
        let Flight { id, endpoint, event, .. } = flight;
        self.observe.attempted(endpoint, event, number, attempt);
        if let Some(traces) = &self.traces {
            traces.attempted(Attempted { event, endpoint, delivery: *id, number, attempt });
        }
        tracing::debug!(
            delivery_id = %id,
            trace_id = trace_id(trace),
            event_id = &*event.key.id,
            endpoint_id = endpoint.id,
            number,
            took_s = attempt.took.as_secs_f64(),
            outcome = attempt.outcome.class(),
            error = attempt.outcome.error(),
            "an attempt ended"
        );
    }

    /// Takes out what waits for its turn in the endpoint's lane, or for a slot, and answers which deliveries these are.
    pub(super) async fn stop(&self, endpoint_id: i64, reason: &str) -> Vec<DeliveryId> {
        let mut flights = self.limits.take(endpoint_id);
        flights.extend(self.lanes.take(endpoint_id));
        let ids = flights.iter().map(|flight| flight.id).collect();
        for flight in flights {
            self.report(Report::Landed { flight, landing: Landing::Stopped { last: None, reason: reason.to_owned() } }).await;
        }
        ids
    }

    /// Puts flights back onto the schedule, for at least as long as they wait, one after the other.
    pub(super) async fn park(&self, away: Vec<Away>) {
        for (flight, wait, why) in away {
            self.observe.waits(why, 1);
            let until = self.next_place(flight.endpoint.id, wait);
            self.report(Report::Landed { flight, landing: Landing::Parked { until } }).await;
        }
    }

    /// When a delivery of that endpoint comes back that is sent away for at least `wait`.
    fn next_place(&self, endpoint_id: i64, wait: Duration) -> Timestamp {
        let wait = self.returns.lock().unwrap_or_else(PoisonError::into_inner).next(endpoint_id, wait, Instant::now());
        clock::after(clock::now(), wait)
    }

    /// Takes out deliveries that would be sent away again if they were read and offered, each with when it comes back. What waits for an endpoint
    /// that is left alone for long costs no more than its place on the schedule.
    pub(super) fn take_left_alone(&self, ids: &mut Vec<DeliveryId>) -> Vec<(DeliveryId, Timestamp)> {
        let mut known = HashMap::new();
        let mut taken = Vec::new();
        ids.retain(|id| {
            let Some(endpoint_id) = self.catalog.read(|index| index.owed_to(*id)) else { return true };
            let alone: Option<(Duration, Wait)> = *known.entry(endpoint_id).or_insert_with(|| self.lanes.left_alone(endpoint_id));
            taken.extend(alone.map(|(wait, why)| {
                self.observe.waits(why, 1);
                (*id, self.next_place(endpoint_id, wait))
            }));
            alone.is_none()
        });
        taken
    }

    /// Looks how the lanes move, until `stop`.
    pub(super) async fn watch_lanes(self: Arc<Self>, patience: Duration, stop: CancellationToken) {
        let mut looked_at = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(patience / 4) => {}
                () = stop.cancelled() => return,
            }
            let since = std::mem::replace(&mut looked_at, Instant::now()).elapsed();
            let turns = self.lanes.look(patience, since);
            self.show_load();
            self.take(turns).await;
        }
    }

    fn show_load(&self) {
        let (in_flight, turn) = self.lanes.load();
        self.observe.load(Load {
            held: self.budget.held() as u64,
            in_flight: in_flight as u64,
            turn: turn as u64,
            slot: self.limits.waiting() as u64,
            connections: self.sender.connections() as u64,
        });
    }

    /// Lets nothing more start, and gives back all that waits.
    pub(super) async fn close(&self) {
        let mut waiting = self.limits.close();
        waiting.extend(self.lanes.close());
        self.park(waiting.into_iter().map(|flight| (flight, Duration::ZERO, Wait::Stopping)).collect()).await;
    }

    pub(super) async fn report(&self, report: Report) {
        // The recorder outlives everything that reports to it.
        if self.reports.send(report).await.is_err() {
            tracing::error!("a report came after the recorder ended: its claim will be taken over");
        }
    }
}

/// For log lines.
fn trace_id(trace: Option<TraceContext>) -> Option<DisplayValue<TraceId>> {
    trace.map(|context| display(context.trace_id))
}
