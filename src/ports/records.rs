//! What is known of events and deliveries.

use std::sync::Arc;

use async_trait::async_trait;

use super::{BackendError, Disabling, Pool, Recovery, Runs, Stopping};
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptView, DeliveryFilter, DeliveryId, DeliveryState, DeliveryView, Totals, Waiting};
use crate::model::event::{Event, EventKey};
use crate::model::event_view::{EventDetail, EventFilter, EventPlace, EventView};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::model::page::Page;

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
    /// Endpoints that asked to be left alone, or at which nothing succeeded for too long. One that is inactive keeps its reason.
    pub disabled: Vec<Disabling>,
    /// Endpoints that have failed since then. The time of one that is known to fail stays.
    pub failing: Vec<(i64, Timestamp)>,
    pub recovered: Vec<Recovery>,
    /// Accepted events that cannot be routed, with the reason: they are dead letters from now on.
    pub set_aside: Vec<(EventKey, String)>,
    /// Events of our own that go with this: accepted and not routed from now on. One that is there is left as it is.
    pub told: Vec<Arc<Event>>,
}

impl Batch {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routed.is_empty()
            && self.steps.is_empty()
            && self.disabled.is_empty()
            && self.failing.is_empty()
            && self.recovered.is_empty()
            && self.set_aside.is_empty()
            && self.told.is_empty()
    }

    /// Whether it may change endpoints.
    #[must_use]
    pub fn changes_endpoints(&self) -> bool {
        !self.disabled.is_empty() || !self.failing.is_empty() || !self.recovered.is_empty()
    }

    /// The events that it may accept.
    pub fn events_told(&self) -> impl Iterator<Item = &Event> {
        let disabled = self.disabled.iter().filter_map(|one| one.event.as_deref());
        let recovered = self.recovered.iter().filter_map(|one| one.event.as_deref());
        self.told.iter().map(|event| &**event).chain(disabled).chain(recovered)
    }
}

/// What the records know of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    No,
    /// It was accepted, and nobody has routed it.
    Accepted,
    /// It was accepted, and is a dead letter.
    SetAside,
    /// Its deliveries are recorded.
    Routed,
}

/// An accepted event as it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    Event(Event),
    /// Its `data` has more bytes than it may have, and was left where it is.
    TooLarge {
        key: EventKey,
        event_type: Arc<str>,
        bytes: u64,
    },
}

/// What one look at old rows came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten<P> {
    pub removed: u64,
    /// The last row that was looked at; `None` when there is none after it.
    pub next: Option<P>,
}

/// The truth: every event and delivery that a commit was made for.
#[async_trait]
pub trait Records: Stopping + Runs {
    /// Which server it is: `postgres`, `sqlite`.
    fn name(&self) -> &'static str;

    /// How its pool of connections is, where it has one. Looks at memory alone.
    fn pool(&self) -> Option<Pool> {
        None
    }

    /// Makes accepted events durable in one commit. Answers for each, in order, whether it was new; one that was there is left as it is,
    /// unless it was set aside: then this one takes its place, as a new one.
    async fn accept(&self, events: &[Arc<Event>]) -> Result<Vec<bool>, BackendError>;

    /// Makes the events of one request durable as `accept` does, and remembers the request in the same commit. One whose key came with the
    /// same body at `since` or later is answered as it was then, and one whose key came with another body is refused: nothing is written
    /// then. Of several at once one is taken in; each of the others hears that it runs, or what it was answered.
    async fn accept_keyed(&self, request: &KeyedRequest, events: &[Arc<Event>]) -> Result<Taken, BackendError>;

    /// What is known of these events, in order.
    async fn known(&self, keys: &[EventKey]) -> Result<Vec<Known>, BackendError>;

    /// Those of these events that are accepted, not routed and not set aside, in any order. The `data` of none that is loaded has more
    /// than `max_bytes`.
    async fn load_accepted(&self, keys: &[EventKey], max_bytes: usize) -> Result<Vec<Accepted>, BackendError>;

    /// Those of these deliveries that still wait, with their events, in any order.
    async fn load_waiting(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError>;

    /// Commits all of it at once. An event that somebody else routed meanwhile is left as it was, with its deliveries, and so is a
    /// delivery that somebody else took a step with; the rest is written. Routing an event that was set aside takes that back.
    async fn record(&self, batch: &Batch) -> Result<(), BackendError>;

    /// Accepted events that nobody has routed or set aside, oldest first, that were accepted before `before` and come after `from`.
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

    /// Removes deliveries that ended, whose last attempt was before `before`, or whose event was accepted before it where none
    /// was made; their attempts go with them. Looks at up to `max` of those whose events were accepted before `before`, oldest
    /// first, that come after `from`. One that somebody is writing may be passed over.
    async fn forget_deliveries(
        &self,
        before: Timestamp,
        from: Option<DeliveryId>,
        max: usize,
    ) -> Result<Forgotten<DeliveryId>, BackendError>;

    /// Removes routed events of which no delivery is left. Looks at up to `max` of those accepted before `before`, oldest first,
    /// that come after `from`. From then on nothing is known of the event.
    async fn forget_events(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Forgotten<(Timestamp, EventKey)>, BackendError>;

    /// Forgets up to `max` requests with a key that came before `before`, oldest first, and answers how many. One that somebody is writing
    /// may be passed over.
    async fn forget_keyed(&self, before: Timestamp, max: usize) -> Result<u64, BackendError>;

    /// Events newest first, starting after `after`. A page may have less than `limit` and still say where the next one starts: looking for what
    /// is rare ends in time. In the list of a tenant that is never the place of another tenant's event.
    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<&EventPlace>,
        limit: u32,
    ) -> Result<Page<EventView, EventPlace>, BackendError>;

    /// One event, whatever became of it; `None` when it is not in the records. Its `data` is left out where that has more than `max_bytes`.
    async fn event(&self, key: &EventKey, max_bytes: usize) -> Result<Option<EventDetail>, BackendError>;

    /// Deliveries newest first, starting after `after`, in pages as those of events.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError>;

    /// One delivery with its attempts, first attempt first.
    async fn delivery(&self, id: DeliveryId, tenant: Option<&str>) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError>;

    /// Totals over the deliveries created in the hour of `since` (in UTC) or later, as of all commits that were made.
    async fn totals(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError>;

    /// The same for each of these endpoints, in order.
    async fn endpoint_totals(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError>;

    /// Puts together what the totals of hours before that of `before` are kept in, as far as it goes with looking at `max` pieces.
    /// Changes no total. Answers whether there was anything.
    async fn put_totals_together(&self, before: Timestamp, max: usize) -> Result<bool, BackendError>;

    /// Whether it can do its work now.
    async fn ping(&self) -> Result<(), BackendError>;
}
