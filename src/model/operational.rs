//! Events of our own, which tell owners what became of their endpoints and deliveries. They take the same road as all others, but
//! only to endpoints that name their type.

use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryState;
use crate::model::endpoint::Endpoint;
use crate::model::event::{Event, EventFields, EventKey};

pub const DELIVERY_FAILED: &str = "webhook.delivery.failed";
pub const ENDPOINT_DISABLED: &str = "webhook.endpoint.disabled";
pub const ENDPOINT_RECOVERED: &str = "webhook.endpoint.recovered";

/// Whether events of that type match only who names it, and cause no events of our own. The type alone decides, whoever enqueued it.
#[must_use]
pub fn is_operational(event_type: &str) -> bool {
    matches!(event_type, DELIVERY_FAILED | ENDPOINT_DISABLED | ENDPOINT_RECOVERED)
}

/// Tells that a delivery of `event` failed for good.
#[must_use]
pub fn delivery_failed(event: &Event, state: &DeliveryState, endpoint_name: &str, now: Timestamp) -> Event {
    let last = state.last.as_ref();
    let data = json!({
        "delivery_id": state.id.to_string(),
        "event_id": &*event.key.id,
        "event_type": &*event.event_type,
        "endpoint_id": state.endpoint_id,
        "endpoint_name": endpoint_name,
        "attempt_count": state.attempt_count,
        "response_status": last.and_then(|last| last.response_status),
        "error_message": last.and_then(|last| last.error_message.as_deref()),
    });
    // A delivery that is put back can fail once more, after more attempts.
    let cause = format!("{}:{}", state.id, state.attempt_count);
    make(DELIVERY_FAILED, &event.key.tenant, &cause, &data, now)
}

/// Tells that Posthaste disabled an endpoint.
#[must_use]
pub fn endpoint_disabled(endpoint: &Endpoint, reason: &str, failing_since: Option<Timestamp>, now: Timestamp) -> Event {
    of_endpoint(ENDPOINT_DISABLED, endpoint, &json!(reason), failing_since, now)
}

/// Tells that an endpoint took a delivery again. `failing_since` is `None` where it had been disabled meanwhile.
#[must_use]
pub fn endpoint_recovered(endpoint: &Endpoint, failing_since: Option<Timestamp>, now: Timestamp) -> Event {
    of_endpoint(ENDPOINT_RECOVERED, endpoint, &Value::Null, failing_since, now)
}

fn of_endpoint(event_type: &'static str, endpoint: &Endpoint, reason: &Value, failing_since: Option<Timestamp>, now: Timestamp) -> Event {
    let mut url = endpoint.spec.url.clone();
    // What identifies the endpoint is before these; what is in them may be a secret.
    url.set_query(None);
    url.set_fragment(None);
    let mut data = json!({
        "endpoint_id": endpoint.id,
        "endpoint_name": endpoint.spec.name,
        "url": url.as_str(),
        "failing_since": failing_since.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
    });
    if !reason.is_null() {
        data["reason"] = reason.clone();
    }
    let cause = format!("{}:{}", endpoint.id, failing_since.unwrap_or(now).timestamp_micros());
    make(event_type, &endpoint.tenant, &cause, &data, now)
}

/// The id follows from the cause, so that a cause that is recorded twice is told once.
fn make(event_type: &'static str, tenant: &Arc<str>, cause: &str, data: &Value, now: Timestamp) -> Event {
    Event::new(EventFields {
        key: EventKey { tenant: Arc::clone(tenant), id: format!("{event_type}:{cause}").into() },
        event_type: Arc::from(event_type),
        data: &data.to_string(),
        source: "posthaste".into(),
        version: "1.0".into(),
        timestamp: clock::unix_seconds(now),
        accepted_at: now,
        traceparent: None,
    })
}
