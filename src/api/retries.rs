//! Failed deliveries are put back, one or all of an endpoint.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::extract::{JsonBody, Segment, segment};
use super::openapi::Described;
use super::openapi::params::{DeliveryPath, EndpointPath};
use super::openapi::problems::Conflicts;
use super::params;
use super::problem::ApiError;
use super::runs::{self, StartedRun};
use super::views::DeliveryJson;
use crate::model::clock::Timestamp;
use crate::model::problem::Problem;
use crate::ports::{Bulk, Retries, Window};

pub(super) fn routes(retries: Arc<dyn Retries>) -> Described {
    OpenApiRouter::new().routes(routes!(one)).routes(routes!(of_endpoint)).with_state(retries)
}

// It needs no body, so that a web page could make this call as well; but the id of a delivery is more than it can guess.
/// Retry a failed delivery
///
/// It goes out at once, under the same id and with the next attempt number. No body is needed.
#[utoipa::path(post, path = "/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "Deliveries", params(DeliveryPath),
    responses((status = 202, description = "It is due now", body = DeliveryJson), Conflicts))]
async fn one(
    State(retries): State<Arc<dyn Retries>>,
    access: Access,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<DeliveryJson>), ApiError> {
    let view = retries.retry(segment(&id, "delivery")?, access.tenant()).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}

/// When the deliveries were created: `since` or later, and before `until`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetryWindow)]
struct WindowDraft {
    #[schema(format = DateTime)]
    since: Option<String>,
    #[schema(format = DateTime)]
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Retried {
    /// How many deliveries were put back.
    retried: u64,
}

/// Retry all failed deliveries of an endpoint
///
/// Those that were created within a window; `{}` means all of them. They go out no faster than the endpoint's limits allow.
/// Many are put back in the background: then the answer is the run that does so.
#[utoipa::path(post, path = "/endpoints/{id}/retry-failed", operation_id = "retryFailed", tag = "Endpoints", params(EndpointPath),
    request_body = WindowDraft,
    responses((status = 200, description = "They are due now", body = Retried),
        (status = 202, description = "They are many: a run puts them back", body = StartedRun,
            headers(("Location" = String, description = "The path of the run"))), Conflicts))]
async fn of_endpoint(
    State(retries): State<Arc<dyn Retries>>,
    access: Access,
    Segment(id): Segment,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let id = segment(&id, "endpoint")?;
    let draft: WindowDraft = body.read()?;
    let mut problems = Vec::new();
    let mut time = |field: &str, text: Option<String>| -> Option<Timestamp> {
        let read = text.map(|text| params::time(&text)).transpose();
        read.unwrap_or_else(|message| {
            problems.push(Problem::new(field, message));
            None
        })
    };
    let window = Window { since: time("since", draft.since), until: time("until", draft.until) };
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    match retries.retry_failed(id, access.tenant(), window).await? {
        Bulk::Done(retried) => Ok(Json(Retried { retried }).into_response()),
        Bulk::Started(run) => Ok(runs::started(*run)),
    }
}
