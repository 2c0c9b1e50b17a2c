//! The shapes of answers. Times are RFC 3339 in UTC with microseconds, durations are seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::SecondsFormat;
use serde::Serialize;

use super::breakers::BreakerJson;
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptView, DeliveryId, DeliveryView, Status, Totals};
use crate::model::endpoint::{Endpoint, RateLimit};
use crate::model::event_view::EventView;

/// One page of a list.
#[derive(Serialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

pub(super) fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// An endpoint. Its headers are shown with their values, since they are its owner's; its secret is not.
#[derive(Serialize)]
pub(super) struct EndpointJson {
    id: i64,
    tenant: String,
    name: String,
    url: String,
    event_types: Vec<String>,
    headers: BTreeMap<String, String>,
    timeout: f64,
    max_retries: u32,
    retry_delay: f64,
    retry_schedule: Option<Vec<f64>>,
    rate_limit: Option<RateLimit>,
    in_flight: Option<u32>,
    is_active: bool,
    disabled_reason: Option<String>,
    failing_since: Option<String>,
    /// `None` while the queue, where workers share it, is away.
    breaker: Option<BreakerJson>,
    created_at: String,
    updated_at: String,
}

impl EndpointJson {
    pub(super) fn new(endpoint: Endpoint, breaker: Option<BreakerJson>) -> Self {
        let spec = endpoint.spec;
        Self {
            id: endpoint.id,
            tenant: endpoint.tenant.to_string(),
            name: spec.name,
            url: spec.url.into(),
            event_types: spec.event_types.iter().map(ToString::to_string).collect(),
            headers: spec.headers,
            timeout: spec.timeout.as_secs_f64(),
            max_retries: spec.max_retries,
            retry_delay: spec.retry_delay.as_secs_f64(),
            retry_schedule: spec.retry_schedule,
            rate_limit: spec.rate_limit,
            in_flight: spec.in_flight,
            is_active: spec.is_active,
            disabled_reason: endpoint.disabled_reason,
            failing_since: endpoint.failing_since.map(time),
            breaker,
            created_at: time(endpoint.created_at),
            updated_at: time(endpoint.updated_at),
        }
    }
}

/// The answer to a registration: the only one that shows the secret.
#[derive(Serialize)]
pub(super) struct CreatedEndpoint {
    #[serde(flatten)]
    endpoint: EndpointJson,
    secret: String,
}

impl CreatedEndpoint {
    pub(super) fn new(endpoint: Endpoint, breaker: Option<BreakerJson>) -> Self {
        let secret = endpoint.secret.reveal().to_owned();
        Self { endpoint: EndpointJson::new(endpoint, breaker), secret }
    }
}

/// The answer to a rotation: the only one that shows the new secret.
#[derive(Serialize)]
pub(super) struct RotatedSecret {
    id: i64,
    secret: String,
    /// Until when each earlier secret signs too, newest first.
    earlier_secrets_until: Vec<String>,
}

impl From<Endpoint> for RotatedSecret {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            secret: endpoint.secret.reveal().to_owned(),
            earlier_secrets_until: endpoint.earlier.iter().map(|earlier| time(earlier.until)).collect(),
        }
    }
}

/// An item of the endpoint list, with what became of its deliveries in the last 24 hours.
#[derive(Serialize)]
pub(super) struct ListedEndpoint {
    #[serde(flatten)]
    endpoint: EndpointJson,
    total_deliveries_24h: u64,
    successful_deliveries_24h: u64,
    /// In percent of those that ended.
    success_rate_24h: f64,
}

impl ListedEndpoint {
    pub(super) fn new(endpoint: Endpoint, totals: Totals, breaker: Option<BreakerJson>) -> Self {
        Self {
            endpoint: EndpointJson::new(endpoint, breaker),
            total_deliveries_24h: totals.total,
            successful_deliveries_24h: totals.delivered,
            success_rate_24h: totals.success_rate(),
        }
    }
}

/// An event of the list: without its data.
#[derive(Serialize)]
pub(super) struct EventJson {
    id: String,
    tenant: String,
    event_type: String,
    source: String,
    version: String,
    /// Unix seconds, as it was enqueued with.
    timestamp: f64,
    created_at: String,
    routed_at: Option<String>,
    set_aside: Option<String>,
}

impl From<EventView> for EventJson {
    fn from(view: EventView) -> Self {
        Self {
            id: view.key.id.to_string(),
            tenant: view.key.tenant.to_string(),
            event_type: view.event_type,
            source: view.source,
            version: view.version,
            timestamp: view.timestamp,
            created_at: time(view.created_at),
            routed_at: view.routed_at.map(time),
            set_aside: view.set_aside,
        }
    }
}

#[derive(Serialize)]
pub(super) struct DeliveryJson {
    id: DeliveryId,
    tenant: String,
    event_id: String,
    event_type: String,
    endpoint_id: i64,
    endpoint_name: String,
    status: Status,
    attempt_count: u32,
    last_attempt_at: Option<String>,
    response_status: Option<u16>,
    response_body: Option<String>,
    response_time: Option<f64>,
    error_message: Option<String>,
    next_retry_at: Option<String>,
    created_at: String,
}

impl From<DeliveryView> for DeliveryJson {
    fn from(view: DeliveryView) -> Self {
        Self {
            id: view.id,
            tenant: view.tenant,
            event_id: view.event_id,
            event_type: view.event_type,
            endpoint_id: view.endpoint_id,
            endpoint_name: view.endpoint_name,
            status: view.status,
            attempt_count: view.attempt_count,
            last_attempt_at: view.last_attempt_at.map(time),
            response_status: view.response_status,
            response_body: view.response_body,
            response_time: view.response_time,
            error_message: view.error_message,
            next_retry_at: view.next_retry_at.map(time),
            created_at: time(view.created_at),
        }
    }
}

/// One delivery with all that was tried, first attempt first.
#[derive(Serialize)]
pub(super) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryJson,
    attempts: Vec<AttemptJson>,
}

#[derive(Serialize)]
struct AttemptJson {
    number: u32,
    at: String,
    response_status: Option<u16>,
    response_body: Option<String>,
    response_time: f64,
    error_message: Option<String>,
}

impl DeliveryWithAttempts {
    pub(super) fn new(delivery: DeliveryView, attempts: Vec<AttemptView>) -> Self {
        let attempts = attempts
            .into_iter()
            .map(|AttemptView { number, result }| AttemptJson {
                number,
                at: time(result.at),
                response_status: result.response_status,
                response_body: result.response_body,
                response_time: result.response_time,
                error_message: result.error_message,
            })
            .collect();
        Self { delivery: delivery.into(), attempts }
    }
}

#[derive(Serialize)]
pub(super) struct StatsView {
    total_deliveries: u64,
    successful_deliveries: u64,
    failed_deliveries: u64,
    /// In percent of those that ended.
    success_rate: f64,
    avg_response_time: f64,
    period_hours: i64,
}

impl StatsView {
    pub(super) fn new(totals: Totals, period_hours: i64) -> Self {
        Self {
            total_deliveries: totals.total,
            successful_deliveries: totals.delivered,
            failed_deliveries: totals.failed,
            success_rate: totals.success_rate(),
            avg_response_time: totals.avg_response_time,
            period_hours,
        }
    }
}
