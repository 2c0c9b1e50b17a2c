//! The shapes of answers. Times are RFC 3339 in UTC with microseconds, durations are seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::SecondsFormat;
use serde::Serialize;
use utoipa::ToSchema;

use super::breakers::BreakerJson;
use super::openapi::shapes;
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptView, DeliveryId, DeliveryView, Status, Totals};
use crate::model::endpoint::{Endpoint, RateLimit};
use crate::model::event_view::EventView;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Where the next page starts: give it back as `cursor`. `null` on the last page, and there alone.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

pub(super) fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// An endpoint. Its headers are shown with their values, since they are its owner's; its secret is not.
#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(super) struct EndpointJson {
    id: i64,
    tenant: String,
    name: String,
    url: String,
    event_types: Vec<String>,
    /// Sent with every request, besides those of Posthaste.
    headers: BTreeMap<String, String>,
    /// One deadline in seconds for everything: resolve, connect, TLS, send, head and body.
    timeout: f64,
    /// How many attempts a delivery has.
    max_retries: u32,
    /// Seconds before the second attempt; doubled for each further one.
    retry_delay: f64,
    /// Seconds before each further attempt, instead of `max_retries` and `retry_delay`.
    #[schema(required = true)]
    retry_schedule: Option<Vec<f64>>,
    #[schema(value_type = Option<shapes::RateLimit>, required = true)]
    rate_limit: Option<RateLimit>,
    /// How many requests may run at once; `null` for `limits.endpoint_in_flight`.
    #[schema(required = true)]
    in_flight: Option<u32>,
    /// Whether it gets events.
    is_active: bool,
    /// Why it was disabled, where that was not its owner's doing.
    #[schema(required = true)]
    disabled_reason: Option<String>,
    /// Since when all attempts have failed.
    #[schema(format = DateTime, required = true)]
    failing_since: Option<String>,
    /// `null` while the queue, where workers share it, is away.
    #[schema(required = true)]
    breaker: Option<BreakerJson>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredEndpoint)]
pub(super) struct CreatedEndpoint {
    #[serde(flatten)]
    endpoint: EndpointJson,
    /// What requests are signed with. Keep it: it is not shown again.
    secret: String,
}

impl CreatedEndpoint {
    pub(super) fn new(endpoint: Endpoint, breaker: Option<BreakerJson>) -> Self {
        let secret = endpoint.secret.reveal().to_owned();
        Self { endpoint: EndpointJson::new(endpoint, breaker), secret }
    }
}

/// The answer to a rotation: the only one that shows the new secret.
#[derive(Serialize, ToSchema)]
pub(super) struct RotatedSecret {
    /// The endpoint.
    id: i64,
    /// What requests are signed with from now on. Keep it: it is not shown again.
    secret: String,
    /// Until when each earlier secret signs too, newest first.
    #[schema(value_type = Vec<shapes::Time>)]
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
#[derive(Serialize, ToSchema)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = ListedEvent)]
pub(super) struct EventJson {
    id: String,
    tenant: String,
    event_type: String,
    source: String,
    version: String,
    /// Unix seconds, as it was enqueued with.
    timestamp: f64,
    /// When it was accepted.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its deliveries were recorded.
    #[schema(format = DateTime, required = true)]
    routed_at: Option<String>,
    /// Why it is a dead letter.
    #[schema(required = true)]
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

/// One event owed to one endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryJson {
    /// What receivers see as `X-Webhook-Delivery`.
    #[schema(value_type = String, format = "uuid")]
    id: DeliveryId,
    tenant: String,
    event_id: String,
    event_type: String,
    endpoint_id: i64,
    /// Empty when the endpoint's row is gone.
    endpoint_name: String,
    #[schema(value_type = shapes::DeliveryStatus)]
    status: Status,
    /// Attempts made so far.
    attempt_count: u32,
    #[schema(format = DateTime, required = true)]
    last_attempt_at: Option<String>,
    /// The status of the latest answer; `null` when none came.
    #[schema(required = true)]
    response_status: Option<u16>,
    /// The first 1,000 characters of the latest answer.
    #[schema(required = true)]
    response_body: Option<String>,
    /// Seconds that the latest attempt took.
    #[schema(required = true)]
    response_time: Option<f64>,
    /// Why the latest attempt failed, or why the delivery was stopped.
    #[schema(required = true)]
    error_message: Option<String>,
    /// When the next attempt is due, while one will follow.
    #[schema(format = DateTime, required = true)]
    next_retry_at: Option<String>,
    #[schema(format = DateTime)]
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
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryJson,
    /// First attempt first.
    attempts: Vec<AttemptJson>,
}

/// One HTTP request made for a delivery, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptJson {
    /// 1, 2, 3 …
    number: u32,
    #[schema(format = DateTime)]
    at: String,
    /// `null` when no answer came.
    #[schema(required = true)]
    response_status: Option<u16>,
    /// The first 1,000 characters.
    #[schema(required = true)]
    response_body: Option<String>,
    /// Seconds.
    response_time: f64,
    /// Why it failed.
    #[schema(required = true)]
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

/// Totals over the deliveries that were created in the period.
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub(super) struct StatsView {
    total_deliveries: u64,
    successful_deliveries: u64,
    failed_deliveries: u64,
    /// In percent of those that ended.
    success_rate: f64,
    /// Seconds, over the last attempt of each delivery that had one.
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
