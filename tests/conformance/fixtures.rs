//! What the sentences speak about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::delivery::{AttemptResult, DeliveryId, DeliveryState, Status};
use posthaste::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use posthaste::model::event::{Event, EventFields, EventKey};
use posthaste::model::pattern::Pattern;
use posthaste::model::trace::TraceContext;
use posthaste::ports::{Batch, Catalog, Claim, Queue, Records, Routed, Settlement};

/// The length of every lease in these tests.
pub(crate) const LEASE: Duration = Duration::from_millis(400);
/// Longer than a call takes, shorter than a lease.
pub(crate) const SHORT: Duration = Duration::from_millis(100);
pub(crate) const NO_WAIT: Duration = Duration::ZERO;

/// One backend, empty.
pub(crate) struct Stand {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) catalog: Arc<dyn Catalog>,
}

pub(crate) fn key(id: &str) -> EventKey {
    EventKey { tenant: Arc::from("default"), id: Arc::from(id) }
}

pub(crate) fn keys(ids: &[&str]) -> Vec<EventKey> {
    ids.iter().map(|id| key(id)).collect()
}

/// A time that is the same in every run, in whole milliseconds.
pub(crate) fn at(second: u32) -> Timestamp {
    clock::from_unix_seconds(1_763_757_000.0 + f64::from(second))
}

pub(crate) fn event(id: &str, second: u32) -> Arc<Event> {
    event_of("default", id, second)
}

pub(crate) fn event_of(tenant: &str, id: &str, second: u32) -> Arc<Event> {
    Arc::new(Event::new(EventFields {
        key: EventKey { tenant: Arc::from(tenant), id: Arc::from(id) },
        event_type: Arc::from("order.created"),
        data: r#"{"b":1.0,"a":1e3,"n":12345678901234567890,"é":"\u00e9 x"}"#,
        source: "shop".into(),
        version: "2".into(),
        timestamp: 1_763_757_296.123_456_7,
        accepted_at: at(second),
        traceparent: trace_of(second),
    }))
}

/// Every other event brings a trace.
pub(crate) fn trace_of(second: u32) -> Option<TraceContext> {
    (second % 2 == 1).then(|| TraceContext::parse(&format!("00-{second:032x}-{second:016x}-01")).expect("valid"))
}

pub(crate) fn spec(name: &str) -> EndpointSpec {
    EndpointSpec {
        name: name.into(),
        url: "https://example.com/hooks?a=b".parse().expect("a URL"),
        event_types: vec![Pattern::parse("order.*").expect("valid"), Pattern::All],
        headers: BTreeMap::from([("X-Own".to_owned(), "y".to_owned())]),
        timeout: Duration::from_millis(2_500),
        max_retries: 5,
        retry_delay: Duration::from_secs(60),
        retry_schedule: Some(vec![0.5, 300.0]),
        rate_limit: None,
        in_flight: Some(7),
        is_active: true,
    }
}

impl Stand {
    pub(crate) async fn endpoint(&self, name: &str) -> Endpoint {
        self.endpoint_of("default", name).await
    }

    pub(crate) async fn endpoint_of(&self, tenant: &str, name: &str) -> Endpoint {
        let new = NewEndpoint { tenant: Arc::from(tenant), spec: spec(name), secret: None };
        self.catalog.create(new).await.expect("registered")
    }

    /// Records one event with one delivery, and answers its id.
    pub(crate) async fn recorded(&self, event: &Arc<Event>, endpoint: i64, status: Status, attempts: u32) -> DeliveryId {
        let state = state(event, endpoint, status, attempts);
        let id = state.id;
        self.route(event, vec![state]).await;
        id
    }

    pub(crate) async fn route(&self, event: &Arc<Event>, deliveries: Vec<DeliveryState>) {
        let accepted = self.records.known(std::slice::from_ref(&event.key)).await.expect("known")[0] == posthaste::ports::Known::Accepted;
        let routed = vec![Routed { event: Arc::clone(event), accepted, deliveries }];
        self.records.record(&Batch { routed, ..Batch::default() }).await.expect("recorded");
    }

    pub(crate) async fn settle(&self, settlement: Settlement) {
        self.queue.settle(&settlement).await.expect("settled");
    }

    /// Offers these, one second apart.
    pub(crate) async fn offer(&self, ids: &[&str]) -> u64 {
        let offered: Vec<_> = ids.iter().zip(0..).map(|(id, second)| (key(id), at(second))).collect();
        self.queue.offer(&offered).await.expect("offered")
    }

    /// Claims what is on offer.
    pub(crate) async fn claim(&self, max: usize) -> Claim<EventKey> {
        self.queue.claim_accepted(max, NO_WAIT).await.expect("claimed").expect("something is on offer")
    }

    pub(crate) async fn nothing_on_offer(&self) -> bool {
        self.queue.claim_accepted(1, NO_WAIT).await.expect("claimed").is_none()
    }

    /// A step of a delivery that is recorded, and whether it counted.
    pub(crate) async fn step(&self, after_attempts: u32, state: DeliveryState) -> bool {
        let id = state.id;
        let steps = vec![posthaste::ports::Step { after_attempts, state: state.clone() }];
        self.records.record(&Batch { steps, ..Batch::default() }).await.expect("recorded");
        let (view, _) = self.records.delivery(id, None).await.expect("read").expect("it is there");
        (view.status, view.attempt_count) == (state.status, state.attempt_count)
    }
}

/// Where a delivery stands after so many attempts. A waiting one is due ten seconds after its event.
pub(crate) fn state(event: &Event, endpoint: i64, status: Status, attempts: u32) -> DeliveryState {
    DeliveryState {
        id: DeliveryId::of(event.accepted_at, &event.key, endpoint),
        endpoint_id: endpoint,
        status,
        attempt_count: attempts,
        last: (attempts > 0).then(|| result(status, attempts)),
        reason: None,
        next_retry_at: status.is_waiting().then(|| clock::after(event.accepted_at, Duration::from_secs(10))),
    }
}

pub(crate) fn result(status: Status, number: u32) -> AttemptResult {
    let delivered = status == Status::Delivered;
    AttemptResult {
        at: at(1_000 + number),
        response_status: Some(if delivered { 200 } else { 500 }),
        response_body: Some(format!("answer {number} é")),
        response_time: 0.25,
        error_message: (!delivered).then(|| "the receiver answered 500".to_owned()),
    }
}

/// Delivery ids that are in no records.
pub(crate) fn ids(count: u32) -> Vec<DeliveryId> {
    (0..count).map(|number| DeliveryId::of(at(number), &key(&format!("e{number}")), 1)).collect()
}
