//! Events as they were accepted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::cursor;
use super::openapi::Described;
use super::openapi::params::{InTenant, Paging};
use super::params::Params;
use super::problem::ApiError;
use super::views::{EventJson, List};
use crate::model::event_view::EventFilter;
use crate::model::validate;
use crate::ports::Records;

pub(super) fn routes(records: Arc<dyn Records>) -> Described {
    OpenApiRouter::new().routes(routes!(list)).with_state(records)
}

/// Only events that match all of these.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the handler reads")]
struct Filters {
    #[param(pattern = "^[A-Za-z0-9_./-]{1,255}$")]
    event_type: Option<String>,
    #[param(pattern = r"^[^\u0000]*$")]
    source: Option<String>,
    /// Accepted at this time or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Accepted before this time.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// List events
///
/// Newest first, without their data. Filters may be combined.
#[utoipa::path(get, path = "/events", operation_id = "listEvents", tag = "Events", params(Filters, InTenant, Paging),
    responses((status = 200, description = "One page", body = List<EventJson>,
        links(("event" = (operation_id = "getEvent",
            parameters(("id" = "$response.body#/items/0/id"), ("tenant" = "$response.body#/items/0/tenant"))))))))]
async fn list(State(records): State<Arc<dyn Records>>, access: Access, uri: Uri) -> Result<Json<List<EventJson>>, ApiError> {
    let mut params = Params::new(&uri, &["event_type", "source", "since", "until", "tenant", "limit", "cursor"]);
    let filter = EventFilter {
        tenant: params.tenant(&access),
        event_type: params.checked("event_type", validate::event_type),
        source: params.checked("source", validate::storable),
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
