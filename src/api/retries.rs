//! Failed deliveries are put back, one or all of an endpoint.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Access;
use super::extract::{JsonBody, segment};
use super::params;
use super::problem::ApiError;
use super::runs;
use super::views::DeliveryJson;
use crate::model::clock::Timestamp;
use crate::model::problem::Problem;
use crate::ports::{Bulk, Retries, Window};

pub(super) fn routes(retries: Arc<dyn Retries>) -> Router {
    Router::new().route("/deliveries/{id}/retry", post(one)).route("/endpoints/{id}/retry-failed", post(of_endpoint)).with_state(retries)
}

/// Needs no body, so that a web page could make this call as well; but the id of a delivery is more than it can guess.
async fn one(
    State(retries): State<Arc<dyn Retries>>,
    access: Access,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<DeliveryJson>), ApiError> {
    let view = retries.retry(segment(&id, "delivery")?, access.tenant()).await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}

/// When the deliveries were created: `since` or later, and before `until`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowDraft {
    since: Option<String>,
    until: Option<String>,
}

#[derive(Serialize)]
struct Retried {
    retried: u64,
}

async fn of_endpoint(
    State(retries): State<Arc<dyn Retries>>,
    access: Access,
    Path(id): Path<String>,
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
