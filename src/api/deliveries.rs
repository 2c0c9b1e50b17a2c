//! What became of deliveries.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::cursor;
use super::extract::{Segment, segment};
use super::openapi::params::{DeliveryPath, InTenant, Paging};
use super::openapi::{Described, shapes};
use super::params::Params;
use super::problem::ApiError;
use super::views::{DeliveryJson, DeliveryWithAttempts, List};
use crate::model::delivery::DeliveryFilter;
use crate::model::validate;
use crate::ports::Records;

const FILTERS: [&str; 9] = ["endpoint_id", "event_id", "event_type", "status", "since", "until", "tenant", "limit", "cursor"];

pub(super) fn routes(records: Arc<dyn Records>) -> Described {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).with_state(records)
}

/// Only deliveries that match all of these.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the handler reads")]
struct Filters {
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_isize)]
    endpoint_id: Option<i64>,
    #[param(pattern = "^[!-~]{1,255}$")]
    event_id: Option<String>,
    #[param(pattern = "^[A-Za-z0-9_./-]{1,255}$")]
    event_type: Option<String>,
    #[param(value_type = Option<shapes::DeliveryStatus>)]
    status: Option<String>,
    /// Created at this time or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Created before this time.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// List deliveries
///
/// Newest first. Filters may be combined.
#[utoipa::path(get, path = "/deliveries", operation_id = "listDeliveries", tag = "Deliveries",
    params(Filters, InTenant, Paging),
    responses((status = 200, description = "One page", body = List<DeliveryJson>,
        links(("delivery" = (operation_id = "getDelivery", parameters(("id" = "$response.body#/items/0/id")))),
            ("retry" = (operation_id = "retryDelivery", parameters(("id" = "$response.body#/items/0/id"))))))))]

async fn list(State(records): State<Arc<dyn Records>>, access: Access, uri: Uri) -> Result<Json<List<DeliveryJson>>, ApiError> {
    let mut params = Params::new(&uri, &FILTERS);
    let filter = DeliveryFilter {
        tenant: params.tenant(&access),
        endpoint_id: params.number("endpoint_id", 1, i64::MAX),
        event_id: params.checked("event_id", validate::event_id),
        event_type: params.checked("event_type", validate::event_type),
        status: params.parsed("status", str::parse),
        since: params.time("since"),
        until: params.time("until"),
    };
    let limit = params.limit();
    let after = params.parsed("cursor", |text| cursor::decode("deliveries", text));
    params.finish()?;
    let page = records.deliveries(&filter, after, limit).await?;
    let next_cursor = page.next.map(|key| cursor::encode("deliveries", key));
    Ok(Json(List { items: page.items.into_iter().map(DeliveryJson::from).collect(), next_cursor }))
}

/// Look at a delivery
///
/// With every attempt that was made.
#[utoipa::path(get, path = "/deliveries/{id}", operation_id = "getDelivery", tag = "Deliveries", params(DeliveryPath),
    responses((status = 200, description = "The delivery", body = DeliveryWithAttempts)))]
async fn one(
    State(records): State<Arc<dyn Records>>,
    access: Access,
    Segment(id): Segment,
) -> Result<Json<DeliveryWithAttempts>, ApiError> {
    let id = segment(&id, "delivery")?;
    let (delivery, attempts) = records.delivery(id, access.tenant()).await?.ok_or(ApiError::NotFound("delivery"))?;
    Ok(Json(DeliveryWithAttempts::new(delivery, attempts)))
}
