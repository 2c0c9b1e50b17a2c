//! What became of deliveries.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};

use super::auth::Access;
use super::cursor;
use super::extract::segment;
use super::params::Params;
use super::problem::ApiError;
use super::views::{DeliveryJson, DeliveryWithAttempts, List};
use crate::model::delivery::DeliveryFilter;
use crate::ports::Records;

const FILTERS: [&str; 9] = ["endpoint_id", "event_id", "event_type", "status", "since", "until", "tenant", "limit", "cursor"];

pub(super) fn routes(records: Arc<dyn Records>) -> Router {
    Router::new().route("/deliveries", get(list)).route("/deliveries/{id}", get(one)).with_state(records)
}

async fn list(State(records): State<Arc<dyn Records>>, access: Access, uri: Uri) -> Result<Json<List<DeliveryJson>>, ApiError> {
    let mut params = Params::new(&uri, &FILTERS);
    let filter = DeliveryFilter {
        tenant: params.tenant(&access),
        endpoint_id: params.number("endpoint_id", i64::MIN, i64::MAX),
        event_id: params.text("event_id"),
        event_type: params.text("event_type"),
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

async fn one(
    State(records): State<Arc<dyn Records>>,
    access: Access,
    Path(id): Path<String>,
) -> Result<Json<DeliveryWithAttempts>, ApiError> {
    let id = segment(&id, "delivery")?;
    let (delivery, attempts) = records.delivery(id, access.tenant()).await?.ok_or(ApiError::NotFound("delivery"))?;
    Ok(Json(DeliveryWithAttempts::new(delivery, attempts)))
}
