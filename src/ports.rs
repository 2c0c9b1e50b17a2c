//! What the pipeline and the API need from the outside, as traits, with their errors.
//!
//! Two backends stand behind them: Redis and Postgres, or one SQLite file. Every sentence here is a
//! test in `tests/conformance/`, run against both. Every method takes or gives a batch, may be called
//! from many tasks and processes at once, and either does all of what it says or nothing of it.

mod stopping;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::clock::Timestamp;
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::{AttemptView, DeliveryFilter, DeliveryId, DeliveryState, DeliveryView, Totals, Waiting};
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::event::{Event, EventKey};
use crate::model::outcome::Attempt;
use crate::model::page::Page;
use crate::model::problem::Problem;

pub use stopping::{Retries, RetryError, StoppedDelivery, Stopping, Window};

/// Our own trouble with a backend: it uses up no attempt, and the work goes on when it is over.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Cannot be reached, or broke off in the middle: try again later. Whether the call took effect is unknown.
    #[error("{backend} at {address} is unavailable: {source}")]
    Unavailable {
        backend: &'static str,
        /// Without credentials.
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answered, and refused or gave something that we do not understand: trying the same again will not help.
    #[error("{backend} refused: {source}")]
    Refused {
        backend: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

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

/// Due deliveries under a lease.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// Oldest due time first.
    pub ids: Vec<DeliveryId>,
    /// When the next one becomes due; a leased one does at the end of its lease. `None` when the schedule is empty.
    pub next: Option<Timestamp>,
}

/// All that follows a commit, done in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settlement {
    /// Claims that are done: their items are forgotten.
    pub claims: Vec<ClaimId>,
    /// Events whose reservation ends.
    pub released: Vec<EventKey>,
    /// Deliveries that wait, with the time they are due. Replaces an earlier time.
    pub scheduled: Vec<(DeliveryId, Timestamp)>,
    /// Deliveries that wait no longer.
    pub unscheduled: Vec<DeliveryId>,
    pub dead: Vec<DeadLetter>,
}

impl Settlement {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.released.is_empty()
            && self.scheduled.is_empty()
            && self.unscheduled.is_empty()
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
        self.claims.extend(later.claims);
        self.released.extend(later.released);
        self.scheduled.extend(later.scheduled);
        self.unscheduled.extend(later.unscheduled);
        self.dead.extend(later.dead);
    }
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

/// The hand-off between doors and workers, and the schedule. Not the truth: whatever is lost here is
/// put back from the [`Records`], but for entries of door 1 that no worker had recorded.
///
/// All leases have the length that the backend was made with.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Which server it is: `redis`, `sqlite`.
    fn name(&self) -> &'static str;

    /// Claims up to `max` entries of door 1, oldest first. When there is none, waits up to `wait` for the first and
    /// answers the moment it comes; `None` when none came.
    async fn claim_entries(&self, max: usize, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError>;

    /// Claims up to `max` accepted events, oldest first; waits as `claim_entries` does.
    async fn claim_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError>;

    /// Leases up to `max` due deliveries, oldest first. One that is not settled within its lease becomes due again.
    async fn claim_due(&self, max: usize) -> Result<Due, BackendError>;

    /// Takes over up to `max` claims whose lease ran out. Whoever held one before can no longer settle it.
    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError>;

    /// Reserves the routing of these events for the claim, and answers for each, in order, whether it succeeded. It fails for
    /// an event that another living claim has reserved; a reservation of a claim that is settled or gone does not count.
    /// Reserving again for the same claim succeeds; a claim that is gone or was taken over reserves nothing.
    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<bool>, BackendError>;

    /// Lets the leases of these claims and deliveries start anew. What is no longer held is passed over.
    async fn renew(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError>;

    /// Offers events that are in the records to the workers, and wakes one. Those on offer already are passed over.
    /// Answers how many were new.
    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError>;

    /// Puts deliveries on the schedule at their time, unless they are on it. Answers how many were new.
    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError>;

    /// Does all of it in one step, or nothing. Settling twice is settling once, but for dead letters.
    async fn settle(&self, settlement: &Settlement) -> Result<(), BackendError>;

    /// How much waits. Constant time.
    async fn depth(&self) -> Result<Depth, BackendError>;

    /// Whether it can do its work now.
    async fn ping(&self) -> Result<(), BackendError>;
}

/// An event with all the deliveries it will ever have.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed {
    pub event: Arc<Event>,
    /// Whether the event is in the records already, accepted and not routed.
    pub accepted: bool,
    pub deliveries: Vec<DeliveryState>,
}

/// Another step of a delivery that is in the records.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Attempts that were recorded before this one. A step counts only if nobody recorded another one meanwhile.
    pub after_attempts: u32,
    pub state: DeliveryState,
}

/// What one commit writes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    pub routed: Vec<Routed>,
    pub steps: Vec<Step>,
    /// Endpoints that asked to be left alone, with the reason.
    pub disabled: Vec<(i64, String)>,
}

impl Batch {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routed.is_empty() && self.steps.is_empty() && self.disabled.is_empty()
    }
}

/// What the records know of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    No,
    /// It was accepted, and nobody has routed it.
    Accepted,
    /// Its deliveries are recorded.
    Routed,
}

/// The truth: every event and delivery that a commit was made for.
#[async_trait]
pub trait Records: Stopping {
    /// Which server it is: `postgres`, `sqlite`.
    fn name(&self) -> &'static str;

    /// Makes accepted events durable in one commit. Answers for each, in order, whether it was new; one that was there is left as it is.
    async fn accept(&self, events: &[Arc<Event>]) -> Result<Vec<bool>, BackendError>;

    /// What is known of these events, in order.
    async fn known(&self, keys: &[EventKey]) -> Result<Vec<Known>, BackendError>;

    /// Those of these events that are accepted and not routed, in any order.
    async fn load_accepted(&self, keys: &[EventKey]) -> Result<Vec<Event>, BackendError>;

    /// Those of these deliveries that still wait, with their events, in any order.
    async fn load_waiting(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError>;

    /// Commits all of it at once. An event that somebody else routed meanwhile is left as it was, with its deliveries, and so is a
    /// delivery that somebody else took a step with; the rest is written.
    async fn record(&self, batch: &Batch) -> Result<(), BackendError>;

    /// Accepted events that nobody has routed, oldest first, that were accepted before `before` and come after `from`.
    async fn unrouted(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Vec<(EventKey, Timestamp)>, BackendError>;

    /// Waiting deliveries due before `before`, earliest first, that come after `from`.
    async fn overdue(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, DeliveryId)>,
        max: usize,
    ) -> Result<Vec<(DeliveryId, Timestamp)>, BackendError>;

    /// Deliveries newest first, starting after `after`.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError>;

    /// One delivery with its attempts, first attempt first.
    async fn delivery(&self, id: DeliveryId, tenant: Option<&str>) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError>;

    /// Totals over the deliveries created at `since` or later.
    async fn totals(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError>;

    /// The same for each of these endpoints, in order.
    async fn endpoint_totals(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError>;

    /// Whether it can do its work now.
    async fn ping(&self) -> Result<(), BackendError>;
}

/// What changed among the endpoints.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The revision that is reached with these.
    pub revision: i64,
    /// New and changed endpoints, inactive ones included.
    pub changed: Vec<Endpoint>,
    pub removed: Vec<i64>,
}

/// Why an endpoint could not be registered, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("there is no such endpoint")]
    NotFound,
    #[error("the endpoint is not valid")]
    Invalid(Vec<Problem>),
}

/// The endpoints.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// All that changed after `revision`, whoever changed it and by whatever means, SQL included; everything when `revision` is 0.
    /// Costs next to nothing when nothing changed.
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError>;

    /// Registers an endpoint. A missing secret is made: `whsec_` and the base64 of 32 random bytes.
    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError>;

    /// Replaces what the owner chose. Making it active takes its `disabled_reason` away.
    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError>;

    /// Removes an endpoint. Its deliveries stay listed.
    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError>;

    /// One endpoint; `None` too when it is of another tenant.
    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError>;

    /// Endpoints newest first, starting after `after`.
    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError>;
}

/// Door 2.
#[async_trait]
pub trait Door: Send + Sync {
    /// Returns once the events are durable. Whether they were new, in order. The same event twice is one.
    async fn accept(&self, events: Vec<Event>) -> Result<Vec<bool>, BackendError>;
}

/// Whether one part can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHealth {
    /// `postgres`, `redis`, `sqlite`.
    pub part: &'static str,
    /// What is wrong with it; `None` when it works.
    pub trouble: Option<String>,
}

/// What `/ready` asks.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Every part that the work needs.
    async fn check(&self) -> Vec<PartHealth>;
}

/// What happened, for those who watch. Never blocks, never fails.
pub trait Observe: Send + Sync {
    /// Events were matched, all of the same type.
    fn triggered(&self, event_type: &str, count: u64);
    /// An attempt ended.
    fn attempted(&self, endpoint: &Endpoint, event_type: &str, number: u32, attempt: &Attempt);
    /// A delivery ended, one way or the other, and is recorded.
    fn settled(&self, event_type: &str, delivered: bool);
    fn dead_letter(&self, class: &'static str);
    fn depth(&self, depth: Depth);
    fn endpoints_active(&self, count: u64);
    fn in_flight(&self, count: u64);
    /// A commit of so many rows was made.
    fn committed(&self, rows: u64, took: Duration);
    /// A worker that is gone left this many claims, and they were taken over.
    fn taken_over(&self, claims: u64);
    /// The sweep put this many events and deliveries back.
    fn swept(&self, events: u64, deliveries: u64);
    /// A backend was away.
    fn trouble(&self, backend: &'static str);
    /// Everything, in Prometheus' text format.
    fn render(&self) -> String;
}
