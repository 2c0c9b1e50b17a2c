//! What monitoring asks. No token is needed.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::Described;
use super::openapi::problems::Unready;
use super::problem::ApiError;
use crate::model::problem::Problem;
use crate::ports::{Observe, Readiness};

/// Those who ask whether a process is ready wait a few seconds, and a part that takes longer is not.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn routes(readiness: Arc<dyn Readiness>, observe: Arc<dyn Observe>) -> Described {
    OpenApiRouter::new()
        .routes(routes!(health))
        .merge(OpenApiRouter::new().routes(routes!(ready)).with_state(readiness))
        .merge(OpenApiRouter::new().routes(routes!(metrics)).with_state(observe))
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Ready {
    /// Always `ready`.
    status: &'static str,
    /// What was looked at.
    #[schema(value_type = Vec<String>)]
    parts: Vec<&'static str>,
}

/// Whether the process lives
///
/// Looks at nothing else: a process must not be killed because a database is away.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "Operating",
    responses((status = 200, description = "It lives", body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the process can do its work
///
/// In every role, workers included.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "Operating",
    responses((status = 200, description = "It can", body = Ready), Unready))]
async fn ready(State(readiness): State<Arc<dyn Readiness>>) -> Result<Json<Ready>, ApiError> {
    let Ok(parts) = tokio::time::timeout(READY_TIMEOUT, readiness.check()).await else {
        let message = format!("did not answer within {} s", READY_TIMEOUT.as_secs());
        return Err(ApiError::NotReady(vec![Problem::new("backends", message)]));
    };
    let away: Vec<_> =
        parts.iter().filter_map(|part| part.trouble.as_ref().map(|trouble| Problem::new(part.part, trouble.as_str()))).collect();
    if away.is_empty() {
        let names: Vec<_> = parts.iter().map(|part| part.part).collect();
        Ok(Json(Ready { status: "ready", parts: names }))
    } else {
        Err(ApiError::NotReady(away))
    }
}

/// Metrics
///
/// In the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "Operating",
    responses((status = 200, description = "Every metric of this process", body = String,
        content_type = "text/plain; version=0.0.4; charset=utf-8")))]
async fn metrics(State(observe): State<Arc<dyn Observe>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], observe.render())
}
