//! What travels through this process: claims, events being routed, deliveries on their way, and reports of how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::retry::Verdict;
use crate::model::clock::Timestamp;
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::DeliveryId;
use crate::model::endpoint::Endpoint;
use crate::model::event::{Event, EventKey};
use crate::model::outcome::Attempt;
use crate::ports::ClaimId;

/// A claim in our hands. It is settled when every one of its items is done.
pub(super) struct HeldClaim {
    pub(super) id: ClaimId,
    open: AtomicUsize,
}

impl HeldClaim {
    pub(super) fn new(id: ClaimId, items: usize) -> Arc<Self> {
        Arc::new(Self { id, open: AtomicUsize::new(items) })
    }

    /// Marks items as done. True when these were the last.
    pub(super) fn done(&self, items: usize) -> bool {
        self.open.fetch_sub(items, Ordering::AcqRel) == items
    }
}

/// An event that was matched, until its deliveries are recorded.
pub(super) struct Routing {
    pub(super) event: Arc<Event>,
    /// Whether the event is in the records already, accepted and not routed.
    pub(super) accepted: bool,
    pub(super) claim: Arc<HeldClaim>,
    /// All deliveries, in the order of the flights' indexes.
    pub(super) deliveries: Vec<(DeliveryId, i64)>,
    /// Set once the event and all its deliveries are part of a batch; what comes later is another step.
    recorded: AtomicBool,
}

impl Routing {
    pub(super) fn new(event: Arc<Event>, accepted: bool, claim: Arc<HeldClaim>, endpoints: &[Arc<Endpoint>]) -> Arc<Self> {
        let deliveries =
            endpoints.iter().map(|endpoint| (DeliveryId::of(event.accepted_at, &event.key, endpoint.id), endpoint.id)).collect();
        Arc::new(Self { event, accepted, claim, deliveries, recorded: AtomicBool::new(false) })
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    pub(super) fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }
}

/// Where a flight comes from.
pub(super) enum Origin {
    /// Its event is being routed; the index is its place among the event's deliveries.
    Routing { routing: Arc<Routing>, index: usize },
    /// The schedule.
    Schedule,
}

/// When a request to an endpoint with a rate limit may be made. What is late by more would make a burst with those that follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) at: Instant,
    pub(super) latest: Instant,
}

/// One delivery on its way through this process.
pub(super) struct Flight {
    pub(super) id: DeliveryId,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) event: Arc<Event>,
    /// Attempts that are recorded.
    pub(super) attempts_before: u32,
    pub(super) origin: Origin,
    /// Of an endpoint with a rate limit, the latest one that it got.
    pub(super) slot: Option<Slot>,
}

impl Flight {
    /// Whether the delivery is in the records already.
    pub(super) fn is_recorded(&self) -> bool {
        match &self.origin {
            Origin::Routing { routing, .. } => routing.is_recorded(),
            Origin::Schedule => true,
        }
    }
}

/// How a flight ended.
pub(super) enum Landing {
    /// An attempt was made.
    Attempted { attempt: Attempt, verdict: Verdict },
    /// Back onto the schedule, without an attempt.
    Parked { until: Timestamp },
    /// No further attempt, since the endpoint is inactive; with the attempt that was under way, if one was.
    Stopped { last: Option<Attempt>, reason: String },
    /// It cannot be sent, and never will be.
    Broken { reason: String },
}

/// What the recorder is told.
pub(super) enum Report {
    Landed {
        flight: Flight,
        landing: Landing,
    },
    /// An event that no endpoint subscribed to.
    Unmatched(Arc<Routing>),
    /// A waiting delivery that cannot go on, with the reason.
    Stopped {
        id: DeliveryId,
        endpoint_id: i64,
        attempts_before: u32,
        event_type: Arc<str>,
        reason: String,
    },
    /// Deliveries that were claimed and get no attempt now: they wait no longer in the records, or not yet.
    NoAttempt {
        not_waiting: Vec<DeliveryId>,
        not_due: Vec<(DeliveryId, Timestamp)>,
    },
    /// An event that cannot be routed, with its reason; `accepted`: it is in the records.
    SetAside {
        claim: Arc<HeldClaim>,
        key: EventKey,
        accepted: bool,
        letter: DeadLetter,
    },
    /// Items of a claim that need no routing.
    Passed {
        claim: Arc<HeldClaim>,
        items: usize,
        released: Vec<EventKey>,
        dead: Vec<DeadLetter>,
    },
}
