//! The hand-off between doors and workers, and the schedule.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{BackendError, DeadLetters, Pacing};
use crate::model::clock::Timestamp;
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;

/// Names one claim. It starts with the kind and the time of the claim and keeps that time when it is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimId(pub Arc<str>);

/// A batch under a lease: nobody else gets it until the lease runs out, is settled or released.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim<T> {
    pub id: ClaimId,
    /// When the batch was first claimed, in whole milliseconds; a takeover keeps it.
    pub claimed_at: Timestamp,
    /// Oldest first, never empty.
    pub items: Vec<T>,
}

/// A claim whose lease ran out under a worker that is gone, in the hands of another.
#[derive(Debug, Clone, PartialEq)]
pub enum TakenOver {
    Entries(Claim<Bytes>),
    Accepted(Claim<EventKey>),
}

impl TakenOver {
    #[must_use]
    pub fn id(&self) -> &ClaimId {
        match self {
            Self::Entries(claim) => &claim.id,
            Self::Accepted(claim) => &claim.id,
        }
    }
}

/// What came of reserving an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    Ours,
    /// Another living claim has it, or ours is gone.
    Elsewhere,
    /// The part of the queue that would know is away: it may be anybody's.
    Unknown,
}

impl From<bool> for Reserved {
    fn from(ours: bool) -> Self {
        if ours { Self::Ours } else { Self::Elsewhere }
    }
}

/// Due deliveries under a lease.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// Oldest due time first.
    pub ids: Vec<DeliveryId>,
    /// Deliveries whose lease ran out, longest first. Whoever held them may have recorded an attempt, and only the records know when
    /// the next one is due.
    pub lapsed: Vec<DeliveryId>,
    /// How long until the next one becomes due, or the next lease ends; zero when that is over. `None` when nothing waits and nothing is leased.
    pub next: Option<Duration>,
}

/// All that follows a commit, done in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settlement {
    /// Claims that are done: their items are forgotten.
    pub claims: Vec<ClaimId>,
    /// Events whose reservation ends.
    pub released: Vec<EventKey>,
    /// Deliveries that wait, with the time they are due. Replaces an earlier time, and ends a lease.
    pub scheduled: Vec<(DeliveryId, Timestamp)>,
    /// Deliveries that wait no longer.
    pub unscheduled: Vec<DeliveryId>,
    /// Deliveries whose attempt goes on in this process: from now on under a lease, as if they had been claimed.
    pub leased: Vec<DeliveryId>,
    pub dead: Vec<DeadLetter>,
}

impl Settlement {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.released.is_empty()
            && self.scheduled.is_empty()
            && self.unscheduled.is_empty()
            && self.leased.is_empty()
            && self.dead.is_empty()
    }

    /// Adds what came later; where both speak of a delivery, the later word holds.
    pub fn merge(&mut self, later: Self) {
        if !later.unscheduled.is_empty() && !self.scheduled.is_empty() {
            let gone: std::collections::HashSet<_> = later.unscheduled.iter().collect();
            self.scheduled.retain(|(id, _)| !gone.contains(id));
        }
        if !later.scheduled.is_empty() && !self.unscheduled.is_empty() {
            let back: std::collections::HashSet<_> = later.scheduled.iter().map(|(id, _)| id).collect();
            self.unscheduled.retain(|id| !back.contains(id));
        }
        if !self.leased.is_empty() {
            let ended: std::collections::HashSet<_> = later.scheduled.iter().map(|(id, _)| id).chain(&later.unscheduled).collect();
            self.leased.retain(|id| !ended.contains(id));
        }
        self.claims.extend(later.claims);
        self.released.extend(later.released);
        self.scheduled.extend(later.scheduled);
        self.unscheduled.extend(later.unscheduled);
        self.leased.extend(later.leased);
        self.dead.extend(later.dead);
    }
}

/// Whether the queue still holds all that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    Whole,
    /// It is empty since it was last whole, and the caller is the one to put back what waits: nobody else is asked to for ten seconds.
    Lost,
    /// It is empty since it was last whole, and somebody else is putting back what waits.
    Restoring,
}

/// How much waits in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Entries of door 1 and accepted events that no worker has claimed.
    pub events: u64,
    /// Deliveries on the schedule, leased ones included.
    pub deliveries: u64,
    pub dead_letters: u64,
}

/// What has waited for longest in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oldest {
    /// Since when an event waits that no worker has claimed.
    pub event: Option<Timestamp>,
    /// The earliest due time on the schedule, of deliveries that are not leased.
    pub due: Option<Timestamp>,
}

/// The hand-off between doors and workers, and the schedule. Not the truth: whatever is lost here is
/// put back from the [`Records`](super::Records), but for entries of door 1 that no worker had recorded.
///
/// All leases have the length that the backend was made with.
///
/// It may consist of parts that can be away one by one. Then one claim is of one part, in whose order it is, and what
/// concerns a part that is away waits in memory, or for the sweep, while the others work: a call fails only when all of them are away.
#[async_trait]
pub trait Queue: Pacing + DeadLetters {
    /// Which server it is: `redis`, `sqlite`.
    fn name(&self) -> &'static str;

    /// Claims up to `max` entries of door 1, oldest first. When there is none, waits up to `wait` for the first and
    /// answers the moment it comes; `None` when none came.
    async fn claim_entries(&self, max: usize, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError>;

    /// Claims up to `max` accepted events, oldest first; waits as `claim_entries` does.
    async fn claim_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError>;

    /// Leases up to `max` deliveries: those whose lease ran out, and due ones, oldest first. One that is leased already is not due.
    /// Those whose lease ran out are left alone unless `lapsed`.
    async fn claim_due(&self, max: usize, lapsed: bool) -> Result<Due, BackendError>;

    /// Takes over up to `max` claims whose lease ran out. Whoever held one before can no longer settle it.
    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError>;

    /// Reserves the routing of these events for the claim, and answers for each, in order, what came of it. It fails for
    /// an event that another living claim has reserved; a reservation of a claim that is settled or gone does not count.
    /// Reserving again for the same claim succeeds; a claim that is gone or was taken over reserves nothing.
    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<Reserved>, BackendError>;

    /// Lets the leases of these claims and deliveries start anew. A claim that is no longer held is passed over, and so is a delivery
    /// that is on the schedule; one of which nothing is known is leased again.
    async fn renew(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError>;

    /// Offers events that are in the records to the workers, and wakes one. Those on offer already are passed over.
    /// Answers how many were new.
    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError>;

    /// Puts deliveries on the schedule at their time, unless they are on it or leased. Answers how many were new.
    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError>;

    /// Does all of it in one step, or nothing; in a queue of several parts, in one step for each. Settling twice is settling once, but for
    /// dead letters.
    async fn settle(&self, settlement: &Settlement) -> Result<(), BackendError>;

    /// Whether all that was given is still there. Costs next to nothing while it is.
    async fn memory(&self) -> Result<Memory, BackendError>;

    /// Whether it is [`Memory::Whole`]; asks nobody to restore it.
    async fn memory_is_whole(&self) -> Result<bool, BackendError>;

    /// Says that the caller goes on putting back what waits: nobody else is asked to for another ten seconds. False when it was lost once
    /// more meanwhile.
    async fn restoring(&self) -> Result<bool, BackendError>;

    /// Says that all that waits was put back. Has no effect when it was lost once more meanwhile.
    async fn restored(&self) -> Result<(), BackendError>;

    /// How much waits. Constant time.
    async fn depth(&self) -> Result<Depth, BackendError>;

    /// What has waited for longest; `None` where nothing waits. In about constant time, however much waits.
    ///
    /// An accepted event waits since it was accepted. Nobody writes down when an entry of door 1 came, so it waits since the `timestamp` that it
    /// tells, but since no later than it was first seen at the end of the list, and no earlier than the list was last seen empty, by this
    /// process. One that is large or tells no time waits since it was first seen there.
    async fn oldest(&self) -> Result<Oldest, BackendError>;

    /// How many of its parts are away now, as far as this process knows. Looks at memory alone.
    fn parts_away(&self) -> u64 {
        0
    }

    /// Whether it can do its work now.
    async fn ping(&self) -> Result<(), BackendError>;
}
