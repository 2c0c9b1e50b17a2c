//! One event, with its data and what became of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::cursor;
use super::extract::Segment;
use super::openapi::Described;
use super::openapi::params::{EventPath, OfTenant};
use super::params::Params;
use super::problem::ApiError;
use super::views::{DeliveryJson, EventJson};
use crate::model::delivery::DeliveryFilter;
use crate::model::event::{DEFAULT_TENANT, EventKey, intern_tenant};
use crate::model::page::MAX_LIMIT;
use crate::model::{json, validate};
use crate::ports::Records;

#[derive(Clone)]
pub(super) struct Shown {
    pub(super) records: Arc<dyn Records>,
    pub(super) max_event_bytes: usize,
}

pub(super) fn routes(shown: Shown) -> Described {
    OpenApiRouter::new().routes(routes!(one)).with_state(shown)
}

/// One event with its data and its deliveries.
#[derive(Serialize, ToSchema)]
struct EventWithDeliveries {
    #[serde(flatten)]
    event: EventJson,
    /// With the bytes that it came in with, but for white space between tokens. Left out where it is larger than
    /// `limits.max_event_bytes`, as it can be of an event that was inserted by SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    data: Option<Box<RawValue>>,
    /// How long `data` is, as it is kept.
    data_bytes: u64,
    /// The newest 500. None until the event is routed, and none where no endpoint wanted it.
    deliveries: Vec<DeliveryJson>,
    /// Where there are more deliveries: the `cursor` of `GET /api/webhooks/deliveries` with this `event_id` and `tenant`.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Look at an event
///
/// With its data and its deliveries. It is accepted and waits to be routed while `routed_at` and `set_aside` are `null`; `set_aside` says why it
/// became a dead letter instead. An event is removed, some time after all of its deliveries have ended, by retention.
#[utoipa::path(get, path = "/events/{id}", operation_id = "getEvent", tag = "Events", params(EventPath, OfTenant),
    responses((status = 200, description = "The event", body = EventWithDeliveries)))]
async fn one(State(shown): State<Shown>, access: Access, Segment(id): Segment, uri: Uri) -> Result<Json<EventWithDeliveries>, ApiError> {
    let mut params = Params::new(&uri, &["tenant"]);
    let asked = params.checked("tenant", validate::tenant);
    params.finish()?;
    // What cannot name an event names none, and another tenant's is as if it were not there.
    validate::event_id(&id).map_err(|_no_id| ApiError::NotFound("event"))?;
    let tenant = access.narrow(asked).map_err(|_another| ApiError::NotFound("event"))?;
    let tenant = tenant.map_or_else(|| Arc::clone(&DEFAULT_TENANT), |tenant| intern_tenant(&tenant));
    let key = EventKey { tenant, id: id.into() };
    // The event first: one that is routed has all of its deliveries.
    let event = shown.records.event(&key, shown.max_event_bytes).await?.ok_or(ApiError::NotFound("event"))?;
    let filter = DeliveryFilter { tenant: Some(key.tenant.to_string()), event_id: Some(key.id.to_string()), ..DeliveryFilter::default() };
    let page = shown.records.deliveries(&filter, None, MAX_LIMIT).await?;
    let next_cursor = page.next.map(|place| cursor::encode("deliveries", place));
    // What the tables hold was JSON when it came in.
    let data = event.data.and_then(|data| RawValue::from_string(json::compact(&data).into_owned()).ok());
    let deliveries = page.items.into_iter().map(DeliveryJson::from).collect();
    Ok(Json(EventWithDeliveries { event: event.view.into(), data, data_bytes: event.data_bytes, deliveries, next_cursor }))
}
