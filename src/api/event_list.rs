//! Events as they were accepted.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};

use super::auth::Access;
use super::cursor;
use super::params::Params;
use super::problem::ApiError;
use super::views::{EventJson, List};
use crate::model::event_view::EventFilter;
use crate::ports::Records;

pub(super) fn routes(records: Arc<dyn Records>) -> Router {
    Router::new().route("/events", get(list)).with_state(records)
}

async fn list(State(records): State<Arc<dyn Records>>, access: Access, uri: Uri) -> Result<Json<List<EventJson>>, ApiError> {
    let mut params = Params::new(&uri, &["event_type", "source", "since", "until", "tenant", "limit", "cursor"]);
    let filter = EventFilter {
        tenant: params.tenant(&access),
        event_type: params.text("event_type"),
        source: params.text("source"),
        since: params.time("since"),
        until: params.time("until"),
    };
    let limit = params.limit();
    let after = params.parsed("cursor", |text| cursor::decode("events", text));
    params.finish()?;
    let page = records.events(&filter, after.as_ref(), limit).await?;
    let next_cursor = page.next.map(|place| cursor::encode("events", place));
    Ok(Json(List { items: page.items.into_iter().map(EventJson::from).collect(), next_cursor }))
}
