//! Bulk work in the background: how it goes, and how to end it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::cursor;
use super::extract::{Segment, segment};
use super::openapi::params::{InTenant, Paging, RunPath};
use super::openapi::problems::Conflicts;
use super::openapi::{Described, shapes};
use super::params::Params;
use super::problem::ApiError;
use super::views::{List, time};
use crate::model::run::{Run, RunId};
use crate::ports::Runs;

pub(super) fn routes(runs: Arc<dyn Runs>) -> Described {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(cancel)).with_state(runs)
}

/// Bulk work in the background. What it counts are deliveries, or dead letters.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub(super) struct RunJson {
    #[schema(format = "uuid")]
    id: String,
    #[schema(value_type = shapes::RunKind)]
    kind: &'static str,
    #[schema(value_type = shapes::RunStatus)]
    status: &'static str,
    /// `null`: of all tenants.
    #[schema(required = true)]
    tenant: Option<String>,
    #[schema(required = true)]
    endpoint_id: Option<i64>,
    /// Only what was created at this time or later.
    #[schema(format = DateTime, required = true)]
    since: Option<String>,
    /// Only what was created before this time.
    #[schema(format = DateTime, required = true)]
    until: Option<String>,
    /// What was put back.
    done: u64,
    /// What had to stay as it was.
    refused: u64,
    /// How much there was to do; `null` while nobody has counted.
    #[schema(required = true)]
    total: Option<u64>,
    /// Why it failed.
    #[schema(required = true)]
    error: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime, required = true)]
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

/// The answer of a call that goes on in the background.
#[derive(Serialize, ToSchema)]
pub(super) struct StartedRun {
    run: RunJson,
}

/// The answer of a call that started a run.
pub(super) fn started(run: Run) -> Response {
    let location = [(header::LOCATION, format!("/api/webhooks/runs/{}", run.id))];
    (StatusCode::ACCEPTED, location, Json(StartedRun { run: run.into() })).into_response()
}

/// List runs
///
/// Newest first.
#[utoipa::path(get, path = "/runs", operation_id = "listRuns", tag = "Runs", params(InTenant, Paging),
    responses((status = 200, description = "One page", body = List<RunJson>,
        links(("run" = (operation_id = "getRun", parameters(("id" = "$response.body#/items/0/id")))),
            ("cancel" = (operation_id = "cancelRun", parameters(("id" = "$response.body#/items/0/id"))))))))]
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

/// Look at a run
#[utoipa::path(get, path = "/runs/{id}", operation_id = "getRun", tag = "Runs", params(RunPath),
    responses((status = 200, description = "The run", body = RunJson)))]
async fn one(State(runs): State<Arc<dyn Runs>>, access: Access, Segment(id): Segment) -> Result<Json<RunJson>, ApiError> {
    Ok(Json(find(&*runs, &access, segment(&id, "run")?).await?.into()))
}

// It needs no body, so that a web page could make this call as well; but the id of a run is more than it can guess.
/// End a run
///
/// What it has put back stays so; the rest stays as it was. No body is needed.
#[utoipa::path(post, path = "/runs/{id}/cancel", operation_id = "cancelRun", tag = "Runs", params(RunPath),
    responses((status = 200, description = "The run as it ended", body = RunJson), Conflicts))]
async fn cancel(State(runs): State<Arc<dyn Runs>>, access: Access, Segment(id): Segment) -> Result<Json<RunJson>, ApiError> {
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
