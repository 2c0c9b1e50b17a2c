//! Totals over the last hours.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chrono::TimeDelta;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::openapi::Described;
use super::openapi::params::InTenant;
use super::params::Params;
use super::problem::ApiError;
use super::views::StatsView;
use crate::model::clock::{self, Timestamp};
use crate::ports::Records;

const DEFAULT_HOURS: i64 = 24;
/// A year; what is older is beyond every retention that is usual.
const MAX_HOURS: i64 = 8784;

pub(super) fn routes(records: Arc<dyn Records>) -> Described {
    OpenApiRouter::new().routes(routes!(stats)).with_state(records)
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the handler reads")]
struct Period {
    /// How far back.
    #[param(minimum = 1, maximum = 8784, default = 24)]
    hours: Option<i64>,
}

/// Totals over the last hours
#[utoipa::path(get, path = "/stats", operation_id = "getStats", tag = "Statistics", params(Period, InTenant),
    responses((status = 200, description = "The totals", body = StatsView)))]

async fn stats(State(records): State<Arc<dyn Records>>, access: Access, uri: Uri) -> Result<Json<StatsView>, ApiError> {
    let mut params = Params::new(&uri, &["hours", "tenant"]);
    let hours = params.number("hours", 1, MAX_HOURS).unwrap_or(DEFAULT_HOURS);
    let tenant = params.tenant(&access);
    params.finish()?;
    let totals = records.totals(since(hours), tenant.as_deref()).await?;
    Ok(Json(StatsView::new(totals, hours)))
}

/// The start of the last `hours`.
pub(super) fn since(hours: i64) -> Timestamp {
    clock::now() - TimeDelta::hours(hours.min(MAX_HOURS))
}
