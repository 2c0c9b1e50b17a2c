//! An endpoint tried out at once: a test event, and a look at what an engineer would look at.

mod findings;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::breakers::{BreakerJson, Breakers};
use super::events::read_single;
use super::extract::{OptionalJson, Segment, segment};
use super::openapi::params::TriedPath;
use super::openapi::problems::Conflicts;
use super::openapi::{Described, shapes};
use super::problem::ApiError;
use super::views::{seconds, time};
use crate::model::clock;
use crate::model::delivery::{DeliveryFilter, Status};
use crate::model::endpoint::{Endpoint, RateLimit};
use crate::model::event::{Event, EventFields, EventKey, Reading};
use crate::model::outcome::{Attempt, Outcome};
use crate::model::problem::Problem;
use crate::model::reach::{Reach, Step};
use crate::ports::{BackendError, Catalog, Checks, Records};

use self::findings::{Facts, RECENT, Waiting};

/// Waiting deliveries are counted up to this.
const MOST_COUNTED: u32 = 500;

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) records: Arc<dyn Records>,
    pub(super) checks: Arc<dyn Checks>,
    pub(super) breakers: Breakers,
    pub(super) max_event_bytes: usize,
    pub(super) new_event_id: fn() -> String,
}

pub(super) fn routes(desk: Desk) -> Described {
    OpenApiRouter::new().routes(routes!(test)).routes(routes!(diagnose)).with_state(desk)
}

/// What came of a test: an answer, or the reason why there is none.
#[derive(Serialize)]
#[serde(untagged)]
enum Tested {
    Answered { success: bool, status_code: u16, response_time: f64, response_body: String, test_event: Box<RawValue> },
    Failed { success: bool, error: String, test_event: Box<RawValue> },
}

// It needs no body, so that a web page could make this call where there are no tokens; what it sends is marked as a test.
/// Send a test event now
///
/// Signed like all others, with `X-Webhook-Test: true`: the event of the body, or a `test_event` when there is none. It is sent once, to this
/// endpoint alone, whether or not it is active, and is not recorded.
#[utoipa::path(post, path = "/{endpoint_id}/test", operation_id = "testEndpoint", tag = "Endpoints", params(TriedPath),
    request_body = Option<shapes::TestEvent>,
    responses((status = 200, description = "What came of it", body = shapes::TestResult), Conflicts))]
async fn test(State(desk): State<Desk>, access: Access, Segment(id): Segment, body: OptionalJson) -> Result<Json<Tested>, ApiError> {
    let endpoint = desk.find(&access, &id).await?;
    if let Some(reason) = &endpoint.locked {
        return Err(ApiError::Conflict(format!("nothing can be signed: {reason}")));
    }
    let event = match body.0 {
        Some(body) => desk.given(&endpoint, &body)?,
        None => desk.made(&endpoint),
    };
    let attempt = desk.checks.test(&endpoint, &event).await;
    Ok(Json(Tested::new(&event, attempt)))
}

impl Tested {
    fn new(event: &Event, attempt: Attempt) -> Self {
        // The body was made of one JSON object.
        let text = String::from_utf8_lossy(&event.body).into_owned();
        let test_event = RawValue::from_string(text).unwrap_or_default();
        let (success, response_time) = (attempt.outcome.is_success(), attempt.took.as_secs_f64());
        let error = attempt.outcome.error().unwrap_or_default();
        match attempt.outcome {
            Outcome::Answered(answer) => {
                Self::Answered { success, status_code: answer.status, response_time, response_body: answer.body, test_event }
            }
            Outcome::Failed(_) => Self::Failed { success, error, test_event },
        }
    }
}

/// What a look at an endpoint found: each issue has its recommendation at the same place.
#[derive(Serialize, ToSchema)]
struct Diagnosis {
    endpoint_id: i64,
    endpoint_name: String,
    is_active: bool,
    issues: Vec<String>,
    recommendations: Vec<String>,
    /// Of the latest deliveries, ten at most.
    recent_delivery_count: usize,
    failed_delivery_count: usize,
    /// Seconds, over the latest deliveries.
    #[schema(required = true)]
    avg_response_time: Option<f64>,
    /// Counted up to 500 of each status.
    waiting_delivery_count: u32,
    /// `null` while the queue, where workers share it, is away.
    #[schema(required = true)]
    breaker: Option<BreakerJson>,
    #[schema(value_type = Option<shapes::RateLimit>, required = true)]
    rate_limit: Option<RateLimit>,
    way: Way,
}

/// How far a request would get.
#[derive(Serialize, ToSchema)]
struct Way {
    /// What its host resolves to.
    addresses: Vec<Address>,
    /// Seconds.
    #[schema(required = true)]
    connect_time: Option<f64>,
    #[schema(format = DateTime, required = true)]
    certificate_expires_at: Option<String>,
    /// The answer to a `HEAD` request.
    #[schema(required = true)]
    head_status: Option<u16>,
    /// Seconds.
    #[schema(required = true)]
    head_time: Option<f64>,
    /// The step that failed; `null` when none did.
    #[schema(value_type = Option<shapes::Step>, required = true)]
    failed_step: Option<&'static str>,
    #[schema(required = true)]
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Address {
    address: String,
    /// Why it must not be reached.
    #[schema(required = true)]
    blocked: Option<String>,
}

impl Way {
    fn new(reach: &Reach) -> Self {
        let failed_step = reach.failed.as_ref().map(|(step, _)| match step {
            Step::Url => "url",
            Step::Resolve => "resolve",
            Step::Connect => "connect",
            Step::Tls => "tls",
            Step::Head => "head",
        });
        Self {
            addresses: reach.addresses.iter().map(|(at, why)| Address { address: at.to_string(), blocked: why.clone() }).collect(),
            connect_time: reach.connected.map(seconds),
            certificate_expires_at: reach.certificate_until.map(time),
            head_status: reach.head.map(|(status, _)| status),
            head_time: reach.head.map(|(_, took)| seconds(took)),
            failed_step,
            error: reach.failed.as_ref().map(|(_, failure)| Outcome::Failed(failure.clone()).error().unwrap_or_default()),
        }
    }
}

/// Find out what is wrong with an endpoint
///
/// Looks at its latest deliveries, its breaker and its backlog, and makes its way there with a `HEAD` request, which is not signed.
#[utoipa::path(get, path = "/{endpoint_id}/diagnose", operation_id = "diagnoseEndpoint", tag = "Endpoints", params(TriedPath),
    responses((status = 200, description = "What was found", body = Diagnosis)))]
async fn diagnose(State(desk): State<Desk>, access: Access, Segment(id): Segment) -> Result<Json<Diagnosis>, ApiError> {
    let endpoint = desk.find(&access, &id).await?;
    let of_endpoint = |status| DeliveryFilter { endpoint_id: Some(endpoint.id), status, ..DeliveryFilter::default() };
    let (everything, breaker) = (of_endpoint(None), desk.breakers.one(endpoint.id));
    let recent = desk.records.deliveries(&everything, None, RECENT);
    let (reach, recent, waiting, breaker) = tokio::join!(desk.checks.reach(&endpoint), recent, desk.waiting(endpoint.id), breaker);
    let (recent, waiting) = (recent?.items, waiting?);
    let facts = Facts { endpoint: &endpoint, now: clock::now(), reach: &reach, recent: &recent, waiting, breaker: breaker.as_ref() };
    let (issues, recommendations) = facts.findings().into_iter().map(|found| (found.issue, found.recommendation)).unzip();
    Ok(Json(Diagnosis {
        endpoint_id: endpoint.id,
        endpoint_name: endpoint.spec.name.clone(),
        is_active: endpoint.spec.is_active,
        issues,
        recommendations,
        recent_delivery_count: recent.len(),
        failed_delivery_count: facts.failed(),
        avg_response_time: facts.mean(),
        waiting_delivery_count: facts.waiting.count,
        way: Way::new(&reach),
        rate_limit: endpoint.spec.rate_limit,
        breaker,
    }))
}

impl Desk {
    async fn find(&self, access: &Access, id: &str) -> Result<Endpoint, ApiError> {
        let id = segment(id, "endpoint")?;
        self.catalog.get(id, access.tenant()).await?.ok_or(ApiError::NotFound("endpoint"))
    }

    fn given(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Event, ApiError> {
        let reading = Reading {
            max_bytes: self.max_event_bytes,
            accepted_at: clock::now(),
            new_id: Some(self.new_event_id),
            tenant: Some(&*endpoint.tenant),
            traceparent: None,
        };
        read_single(body, reading).map_err(|error| match error {
            ApiError::Invalid(problems) if problems.iter().any(|problem| problem.field == "tenant") => {
                ApiError::Invalid(vec![Problem::new("tenant", "is not the tenant of the endpoint: leave it out")])
            }
            other => other,
        })
    }

    fn made(&self, endpoint: &Endpoint) -> Event {
        let now = clock::now();
        let data = json!({"message": "This is a test of Posthaste: nothing happened.", "endpoint_id": endpoint.id}).to_string();
        Event::new(EventFields {
            key: EventKey { tenant: Arc::clone(&endpoint.tenant), id: (self.new_event_id)().into() },
            event_type: "test_event".into(),
            data: &data,
            source: "posthaste".into(),
            version: "1.0".into(),
            timestamp: clock::unix_seconds(now),
            accepted_at: now,
            traceparent: None,
        })
    }

    async fn waiting(&self, endpoint: i64) -> Result<Waiting, BackendError> {
        let mut waiting = Waiting { count: 0, more: false };
        for status in [Status::Pending, Status::Retrying] {
            let filter = DeliveryFilter { endpoint_id: Some(endpoint), status: Some(status), ..DeliveryFilter::default() };
            let page = self.records.deliveries(&filter, None, MOST_COUNTED).await?;
            waiting.count += u32::try_from(page.items.len()).unwrap_or(MOST_COUNTED);
            waiting.more |= page.next.is_some();
        }
        Ok(waiting)
    }
}
