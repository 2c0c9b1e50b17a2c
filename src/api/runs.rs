//! Bulk work in the background: how it goes, and how to end it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::auth::Access;
use super::cursor;
use super::extract::segment;
use super::params::Params;
use super::problem::ApiError;
use super::views::{List, time};
use crate::model::run::{Run, RunId};
use crate::ports::Runs;

pub(super) fn routes(runs: Arc<dyn Runs>) -> Router {
    Router::new().route("/runs", get(list)).route("/runs/{id}", get(one)).route("/runs/{id}/cancel", post(cancel)).with_state(runs)
}

/// One run. What it counts are deliveries, or dead letters.
#[derive(Serialize)]
pub(super) struct RunJson {
    id: String,
    kind: &'static str,
    status: &'static str,
    /// `None`: of all tenants.
    tenant: Option<String>,
    endpoint_id: Option<i64>,
    since: Option<String>,
    until: Option<String>,
    /// What was put back.
    done: u64,
    /// What had to stay as it was.
    refused: u64,
    /// `None` while nobody has counted.
    total: Option<u64>,
    error: Option<String>,
    created_at: String,
    updated_at: String,
    finished_at: Option<String>,
}

impl From<Run> for RunJson {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            kind: run.kind.as_str(),
            status: run.status.as_str(),
            tenant: run.tenant.map(|tenant| tenant.to_string()),
            endpoint_id: run.endpoint_id,
            since: run.since.map(time),
            until: run.until.map(time),
            done: run.done,
            refused: run.refused,
            total: run.total,
            error: run.error,
            created_at: time(run.created_at),
            updated_at: time(run.updated_at),
            finished_at: run.finished_at.map(time),
        }
    }
}

#[derive(Serialize)]
pub(super) struct StartedRun {
    run: RunJson,
}

/// The answer of a call that started a run.
pub(super) fn started(run: Run) -> Response {
    let location = [(header::LOCATION, format!("/api/webhooks/runs/{}", run.id))];
    (StatusCode::ACCEPTED, location, Json(StartedRun { run: run.into() })).into_response()
}

async fn list(State(runs): State<Arc<dyn Runs>>, access: Access, uri: Uri) -> Result<Json<List<RunJson>>, ApiError> {
    let mut params = Params::new(&uri, &["tenant", "limit", "cursor"]);
    let tenant = params.tenant(&access);
    let limit = params.limit();
    let after = params.parsed("cursor", |text| cursor::decode::<RunId>("runs", text));
    params.finish()?;
    let page = runs.list_runs(tenant.as_deref(), after, limit).await?;
    let next_cursor = page.next.map(|id| cursor::encode("runs", id));
    Ok(Json(List { items: page.items.into_iter().map(RunJson::from).collect(), next_cursor }))
}

async fn one(State(runs): State<Arc<dyn Runs>>, access: Access, Path(id): Path<String>) -> Result<Json<RunJson>, ApiError> {
    Ok(Json(find(&*runs, &access, segment(&id, "run")?).await?.into()))
}

/// Needs no body, so that a web page could make this call as well; but the id of a run is more than it can guess.
async fn cancel(State(runs): State<Arc<dyn Runs>>, access: Access, Path(id): Path<String>) -> Result<Json<RunJson>, ApiError> {
    let id = segment(&id, "run")?;
    if let Some(run) = runs.cancel_run(id, access.tenant()).await? {
        return Ok(Json(run.into()));
    }
    let run = find(&*runs, &access, id).await?;
    Err(ApiError::Conflict(format!("the run is {}: only one that is running can be cancelled", run.status.as_str())))
}

async fn find(runs: &dyn Runs, access: &Access, id: RunId) -> Result<Run, ApiError> {
    runs.find_run(id, access.tenant()).await?.ok_or(ApiError::NotFound("run"))
}
