//! Puts reports together into what one commit writes: an event goes in once, with all of its deliveries.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{AttemptResult, DeliveryId, DeliveryState, Status};
use crate::model::event::Event;
use crate::model::outcome::Attempt;
use crate::pipeline::flight::{Flight, HeldClaim, Landing, Origin, Report, Routing};
use crate::pipeline::record::owners::Owners;
use crate::pipeline::retry::Verdict;
use crate::pipeline::settle::Settling;
use crate::ports::{Batch, Routed, Step};

/// One commit's worth.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: Batch,
    pub(super) settling: Settling,
    /// Flights that left memory.
    pub(super) landed: usize,
    /// Deliveries that ended, for the metrics.
    pub(super) settled: Vec<(Arc<str>, bool)>,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.settling.settlement.is_empty() && self.landed == 0
    }

    /// Says until when those are leased whose attempt goes on here: before that, nobody must take them for overdue.
    pub(super) fn stamp(&mut self, lease_end: Timestamp) {
        if self.settling.settlement.leased.is_empty() {
            return;
        }
        let leased: HashSet<_> = self.settling.settlement.leased.iter().collect();
        let states = self.batch.routed.iter_mut().flat_map(|routed| &mut routed.deliveries);
        for state in states.filter(|state| leased.contains(&state.id)) {
            state.next_retry_at = Some(lease_end);
        }
    }

    /// Rows that the commit writes.
    pub(super) fn rows(&self) -> u64 {
        let routed: usize = self.batch.routed.iter().map(|routed| 1 + routed.deliveries.len()).sum();
        (routed + self.batch.steps.len() + self.batch.told.len()) as u64
    }
}

/// An event some of whose deliveries have not ended.
struct Open {
    routing: Arc<Routing>,
    states: Vec<Option<DeliveryState>>,
    missing: usize,
    since: Instant,
}

pub(super) struct Gatherer {
    /// By the address of the routing, which the Arc inside keeps taken.
    open: HashMap<usize, Open>,
    next: Gathered,
    hold: Duration,
    owners: Owners,
}

impl Gatherer {
    pub(super) fn new(hold: Duration, owners: Owners) -> Self {
        Self { open: HashMap::new(), next: Gathered::default(), hold, owners }
    }

    /// Waits until there may be something to commit that nobody reports; for ever when there will not be.
    pub(super) async fn wait(&self) {
        let open = (!self.open.is_empty()).then_some(self.hold / 4);
        match open.into_iter().chain(self.owners.interval()).min() {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn take(&mut self) -> Gathered {
        let mut next = std::mem::take(&mut self.next);
        self.owners.write(&mut next.batch, clock::now());
        next
    }

    pub(super) fn add(&mut self, report: Report) {
        match report {
            Report::Landed { flight, landing } => self.landed(flight, landing),
            Report::Unmatched(routing) => self.routed(&routing, Vec::new(), &HashSet::new()),
            Report::Stopped { id, endpoint_id, attempts_before, event_type, reason } => {
                self.next.settled.push((event_type, false));
                self.step(attempts_before, stopped(id, endpoint_id, attempts_before, None, reason));
            }
            Report::NoAttempt { not_waiting, not_due } => {
                self.next.settling.ended.extend(not_waiting.iter().chain(not_due.iter().map(|(id, _)| id)));
                self.next.settling.settlement.unscheduled.extend(not_waiting);
                self.next.settling.settlement.scheduled.extend(not_due);
            }
            Report::SetAside { claim, key, accepted, letter } => {
                if accepted {
                    self.next.batch.set_aside.push((key.clone(), letter.reason.clone()));
                }
                self.next.settling.settlement.released.push(key);
                self.next.settling.settlement.dead.push(letter);
                self.claim_done(&claim, 1);
            }
            Report::Passed { claim, items, released, dead } => {
                self.next.settling.settlement.released.extend(released);
                self.next.settling.settlement.dead.extend(dead);
                self.claim_done(&claim, items);
            }
        }
    }

    fn landed(&mut self, flight: Flight, landing: Landing) {
        self.next.landed += 1;
        if matches!(&landing, Landing::Stopped { last: None, .. }) && flight.is_recorded() {
            // Whoever took it out stops its row with all others of its endpoint, and counts it there.
            self.next.settling.ended.push(flight.id);
            self.next.settling.settlement.unscheduled.push(flight.id);
            return;
        }
        let (state, parked) = match landing {
            Landing::Parked { until } => (waiting(flight.id, flight.endpoint.id, flight.attempts_before, until), true),
            Landing::Attempted { attempt, verdict } => {
                self.owners.attempted(&flight, &attempt, verdict);
                (attempted(&flight, attempt.into_result(), verdict), false)
            }
            Landing::Broken { reason } => (stopped(flight.id, flight.endpoint.id, flight.attempts_before, None, reason), false),
            Landing::Stopped { last, reason } => {
                let last = last.map(Attempt::into_result);
                (stopped(flight.id, flight.endpoint.id, flight.attempts_before, last, reason), false)
            }
        };
        if !state.status.is_waiting() {
            self.next.settled.push((Arc::clone(&flight.event.event_type), state.status == Status::Delivered));
        }
        match flight.origin {
            Origin::Routing { routing, index } if !routing.is_recorded() => self.first(&routing, index, state),
            // Its record says that it is due already: only the schedule changes.
            Origin::Schedule if parked => {
                self.next.settling.ended.push(state.id);
                self.next.settling.settlement.scheduled.extend(state.next_retry_at.map(|until| (state.id, until)));
            }
            _ => {
                self.tell(&flight.event, &state);
                self.step(flight.attempts_before, state);
            }
        }
    }

    /// A delivery's first state: it goes into the records with its event.
    fn first(&mut self, routing: &Arc<Routing>, index: usize, state: DeliveryState) {
        if routing.deliveries.len() == 1 {
            return self.routed(routing, vec![state], &HashSet::new());
        }
        let key = Arc::as_ptr(routing).addr();
        let open = self.open.entry(key).or_insert_with(|| Open {
            routing: Arc::clone(routing),
            states: vec![None; routing.deliveries.len()],
            missing: routing.deliveries.len(),
            since: Instant::now(),
        });
        if open.states[index].replace(state).is_none() {
            open.missing -= 1;
        }
        if open.missing == 0
            && let Some(open) = self.open.remove(&key)
        {
            self.routed(&open.routing, open.states.into_iter().flatten().collect(), &HashSet::new());
        }
    }

    /// Closes events that have waited for `hold`, or all of them: what has not ended goes into the records as waiting.
    pub(super) fn flush(&mut self, now: Instant, all: bool) {
        let ripe: Vec<_> =
            self.open.iter().filter(|(_, open)| all || now.duration_since(open.since) >= self.hold).map(|(key, _)| *key).collect();
        let now = clock::now();
        for key in ripe {
            let Some(open) = self.open.remove(&key) else { continue };
            let (mut states, mut running) = (Vec::with_capacity(open.states.len()), HashSet::new());
            for (state, (id, endpoint_id)) in open.states.into_iter().zip(&open.routing.deliveries) {
                states.push(state.unwrap_or_else(|| {
                    running.insert(*id);
                    waiting(*id, *endpoint_id, 0, now)
                }));
            }
            self.routed(&open.routing, states, &running);
        }
    }

    /// `running`: those whose attempt goes on in this process.
    fn routed(&mut self, routing: &Arc<Routing>, deliveries: Vec<DeliveryState>, running: &HashSet<DeliveryId>) {
        routing.set_recorded();
        let settlement = &mut self.next.settling.settlement;
        for state in deliveries.iter().filter(|state| !running.contains(&state.id)) {
            settlement.scheduled.extend(state.next_retry_at.map(|at| (state.id, at)));
        }
        settlement.leased.extend(running);
        settlement.released.push(routing.event.key.clone());
        for state in &deliveries {
            self.tell(&routing.event, state);
        }
        self.next.batch.routed.push(Routed { event: Arc::clone(&routing.event), accepted: routing.accepted, deliveries });
        self.claim_done(&routing.claim, 1);
    }

    /// Lets the commit that ends a delivery tell of it.
    fn tell(&mut self, event: &Event, state: &DeliveryState) {
        self.next.batch.told.extend(self.owners.told(event, state));
    }

    fn step(&mut self, after_attempts: u32, state: DeliveryState) {
        self.next.settling.ended.push(state.id);
        let settlement = &mut self.next.settling.settlement;
        match state.next_retry_at {
            Some(at) => settlement.scheduled.push((state.id, at)),
            None => settlement.unscheduled.push(state.id),
        }
        self.next.batch.steps.push(Step { after_attempts, state });
    }

    fn claim_done(&mut self, claim: &HeldClaim, items: usize) {
        if claim.done(items) {
            self.next.settling.settlement.claims.push(claim.id.clone());
        }
    }
}

fn waiting(id: DeliveryId, endpoint_id: i64, attempt_count: u32, until: Timestamp) -> DeliveryState {
    let status = if attempt_count == 0 { Status::Pending } else { Status::Retrying };
    DeliveryState { id, endpoint_id, status, attempt_count, last: None, reason: None, next_retry_at: Some(until) }
}

fn stopped(id: DeliveryId, endpoint_id: i64, attempts_before: u32, last: Option<AttemptResult>, reason: String) -> DeliveryState {
    let attempt_count = attempts_before + u32::from(last.is_some());
    DeliveryState { id, endpoint_id, status: Status::Failed, attempt_count, last, reason: Some(reason), next_retry_at: None }
}

fn attempted(flight: &Flight, result: AttemptResult, verdict: Verdict) -> DeliveryState {
    let (status, next_retry_at) = match verdict {
        Verdict::Delivered => (Status::Delivered, None),
        Verdict::RetryAt(at) => (Status::Retrying, Some(at)),
        Verdict::Failed | Verdict::Gone => (Status::Failed, None),
    };
    DeliveryState {
        id: flight.id,
        endpoint_id: flight.endpoint.id,
        status,
        attempt_count: flight.attempts_before + 1,
        last: Some(result),
        reason: None,
        next_retry_at,
    }
}
