//! Totals over the last hours.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use chrono::TimeDelta;

use super::auth::Access;
use super::params::Params;
use super::problem::ApiError;
use super::views::StatsView;
use crate::model::clock::{self, Timestamp};
use crate::ports::Records;

const DEFAULT_HOURS: i64 = 24;
/// A year; what is older is beyond every retention that is usual.
const MAX_HOURS: i64 = 8784;

pub(super) fn routes(records: Arc<dyn Records>) -> Router {
    Router::new().route("/stats", get(stats)).with_state(records)
}

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
