//! Endpoints: register, look at, change, remove.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::auth::Access;
use super::breakers::Breakers;
use super::cursor;
use super::extract::{JsonBody, segment};
use super::params::Params;
use super::problem::ApiError;
use super::stats;
use super::views::{CreatedEndpoint, EndpointJson, List, ListedEndpoint, RotatedSecret};
use crate::model::endpoint::{Endpoint, EndpointDefaults, EndpointDraft};
use crate::model::problem::Problem;
use crate::model::rotation::RotationDraft;
use crate::ports::{Catalog, Records};

#[derive(Clone)]
pub(super) struct Registry {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) records: Arc<dyn Records>,
    pub(super) breakers: Breakers,
    pub(super) defaults: EndpointDefaults,
}

pub(super) fn routes(registry: Registry) -> Router {
    Router::new()
        .route("/endpoints", get(list).post(create))
        .route("/endpoints/{id}", get(one).patch(change).delete(remove))
        .route("/endpoints/{id}/rotate-secret", post(rotate))
        .with_state(registry)
}

async fn list(State(registry): State<Registry>, access: Access, uri: Uri) -> Result<Json<List<ListedEndpoint>>, ApiError> {
    let mut params = Params::new(&uri, &["tenant", "limit", "cursor"]);
    let tenant = params.tenant(&access);
    let limit = params.limit();
    let after = params.parsed("cursor", |text| cursor::decode("endpoints", text));
    params.finish()?;
    let page = registry.catalog.list(tenant.as_deref(), after, limit).await?;
    let ids: Vec<_> = page.items.iter().map(|endpoint| endpoint.id).collect();
    let totals = if ids.is_empty() { Vec::new() } else { registry.records.endpoint_totals(stats::since(24), &ids).await? };
    let breakers = registry.breakers.of(&ids).await;
    let items = page.items.into_iter().zip(totals).zip(breakers);
    let items = items.map(|((endpoint, totals), breaker)| ListedEndpoint::new(endpoint, totals, breaker)).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|id| cursor::encode("endpoints", id)) }))
}

async fn create(State(registry): State<Registry>, access: Access, body: JsonBody) -> Result<Response, ApiError> {
    let mut draft: EndpointDraft = body.read()?;
    draft.tenant = access.narrow(draft.tenant).map_err(|message| ApiError::Invalid(vec![Problem::new("tenant", message)]))?;
    let new = draft.into_new(registry.defaults).map_err(ApiError::Invalid)?;
    let endpoint = registry.catalog.create(new).await?;
    let breaker = registry.breakers.one(endpoint.id).await;
    let headers = [(header::LOCATION, format!("/api/webhooks/endpoints/{}", endpoint.id)), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(CreatedEndpoint::new(endpoint, breaker))).into_response())
}

async fn one(State(registry): State<Registry>, access: Access, Path(id): Path<String>) -> Result<Json<EndpointJson>, ApiError> {
    shown(&registry, find(&registry, &access, &id).await?).await
}

async fn change(
    State(registry): State<Registry>,
    access: Access,
    Path(id): Path<String>,
    body: JsonBody,
) -> Result<Json<EndpointJson>, ApiError> {
    let draft: EndpointDraft = body.read()?;
    let endpoint = find(&registry, &access, &id).await?;
    let spec = draft.change(endpoint.spec).map_err(ApiError::Invalid)?;
    shown(&registry, registry.catalog.update(endpoint.id, access.tenant(), spec).await?).await
}

async fn shown(registry: &Registry, endpoint: Endpoint) -> Result<Json<EndpointJson>, ApiError> {
    let breaker = registry.breakers.one(endpoint.id).await;
    Ok(Json(EndpointJson::new(endpoint, breaker)))
}

async fn remove(State(registry): State<Registry>, access: Access, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    registry.catalog.remove(segment(&id, "endpoint")?, access.tenant()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(State(registry): State<Registry>, access: Access, Path(id): Path<String>, body: JsonBody) -> Result<Response, ApiError> {
    let id = segment(&id, "endpoint")?;
    let rotation = body.read::<RotationDraft>()?.into_valid().map_err(ApiError::Invalid)?;
    let endpoint = registry.catalog.rotate_secret(id, access.tenant(), &rotation).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(RotatedSecret::from(endpoint))).into_response())
}

async fn find(registry: &Registry, access: &Access, id: &str) -> Result<Endpoint, ApiError> {
    let id = segment(id, "endpoint")?;
    registry.catalog.get(id, access.tenant()).await?.ok_or(ApiError::NotFound("endpoint"))
}
