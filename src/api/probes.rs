//! What monitoring asks. No token is needed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::problem::ApiError;
use crate::model::problem::Problem;
use crate::ports::{Observe, Readiness};

/// Those who ask whether a process is ready wait a few seconds, and a part that takes longer is not.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn routes(readiness: Arc<dyn Readiness>, observe: Arc<dyn Observe>) -> Router {
    Router::new()
        // Looks at nothing: a process must not be killed because a database is away.
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .merge(Router::new().route("/ready", get(ready)).with_state(readiness))
        .merge(Router::new().route("/metrics", get(metrics)).with_state(observe))
}

async fn ready(State(readiness): State<Arc<dyn Readiness>>) -> Result<Response, ApiError> {
    let Ok(parts) = tokio::time::timeout(READY_TIMEOUT, readiness.check()).await else {
        let message = format!("did not answer within {} s", READY_TIMEOUT.as_secs());
        return Err(ApiError::NotReady(vec![Problem::new("backends", message)]));
    };
    let away: Vec<_> =
        parts.iter().filter_map(|part| part.trouble.as_ref().map(|trouble| Problem::new(part.part, trouble.as_str()))).collect();
    if away.is_empty() {
        let names: Vec<_> = parts.iter().map(|part| part.part).collect();
        Ok(Json(json!({"status": "ready", "parts": names})).into_response())
    } else {
        Err(ApiError::NotReady(away))
    }
}

async fn metrics(State(observe): State<Arc<dyn Observe>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], observe.render())
}
