//! Endpoints: register, look at, change, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::breakers::Breakers;
use super::cursor;
use super::extract::{JsonBody, Segment, segment};
use super::openapi::params::{EndpointPath, InTenant, Paging};
use super::openapi::problems::Conflicts;
use super::openapi::{Described, shapes};
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

pub(super) fn routes(registry: Registry) -> Described {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, change, remove)).routes(routes!(rotate)).with_state(registry)
}

/// List endpoints
///
/// Newest first, each with what became of its deliveries in the last 24 hours.
#[utoipa::path(get, path = "/endpoints", operation_id = "listEndpoints", tag = "Endpoints", params(InTenant, Paging),
    responses((status = 200, description = "One page", body = List<ListedEndpoint>)))]
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

/// Register an endpoint
///
/// In force for events that are enqueued after the answer, in the process that answered at once, in every other within one second.
#[utoipa::path(post, path = "/endpoints", operation_id = "registerEndpoint", tag = "Endpoints",
    request_body = shapes::Registration,
    responses((status = 201, description = "Registered. The secret is shown here and never again", body = CreatedEndpoint,
        headers(("Location" = String, description = "The path of the endpoint"),
            ("Cache-Control" = String, description = "`no-store`, since the answer holds the secret")))))]
async fn create(State(registry): State<Registry>, access: Access, body: JsonBody) -> Result<Response, ApiError> {
    let mut draft: EndpointDraft = body.read()?;
    draft.tenant = access.narrow(draft.tenant).map_err(|message| ApiError::Invalid(vec![Problem::new("tenant", message)]))?;
    let new = draft.into_new(registry.defaults).map_err(ApiError::Invalid)?;
    let endpoint = registry.catalog.create(new).await?;
    let breaker = registry.breakers.one(endpoint.id).await;
    let headers = [(header::LOCATION, format!("/api/webhooks/endpoints/{}", endpoint.id)), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(CreatedEndpoint::new(endpoint, breaker))).into_response())
}

/// Look at an endpoint
#[utoipa::path(get, path = "/endpoints/{id}", operation_id = "getEndpoint", tag = "Endpoints", params(EndpointPath),
    responses((status = 200, description = "The endpoint", body = EndpointJson)))]
async fn one(State(registry): State<Registry>, access: Access, Segment(id): Segment) -> Result<Json<EndpointJson>, ApiError> {
    shown(&registry, find(&registry, &access, &id).await?).await
}

/// Change an endpoint
///
/// What is left out stays as it is. Changes are in force as for a new one. What waits for an endpoint that is made inactive fails.
#[utoipa::path(patch, path = "/endpoints/{id}", operation_id = "changeEndpoint", tag = "Endpoints", params(EndpointPath),
    request_body = shapes::EndpointChange,
    responses((status = 200, description = "The endpoint as it is now", body = EndpointJson)))]
async fn change(
    State(registry): State<Registry>,
    access: Access,
    Segment(id): Segment,
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

/// Remove an endpoint
///
/// What waits for it fails. Its deliveries stay listed until `retention.days` are over.
#[utoipa::path(delete, path = "/endpoints/{id}", operation_id = "removeEndpoint", tag = "Endpoints", params(EndpointPath),
    responses((status = 204, description = "Removed")))]
async fn remove(State(registry): State<Registry>, access: Access, Segment(id): Segment) -> Result<StatusCode, ApiError> {
    registry.catalog.remove(segment(&id, "endpoint")?, access.tenant()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace an endpoint's secret
///
/// With the one that is given, or with a new one. The secret before goes on to sign beside it for `overlap_seconds`: meanwhile
/// `webhook-signature` has one entry for each.
#[utoipa::path(post, path = "/endpoints/{id}/rotate-secret", operation_id = "rotateSecret", tag = "Endpoints", params(EndpointPath),
    request_body = shapes::Rotation,
    responses((status = 200, description = "Replaced. The secret is shown here and never again", body = RotatedSecret,
        headers(("Cache-Control" = String, description = "`no-store`, since the answer holds the secret"))), Conflicts))]
async fn rotate(State(registry): State<Registry>, access: Access, Segment(id): Segment, body: JsonBody) -> Result<Response, ApiError> {
    let id = segment(&id, "endpoint")?;
    let rotation = body.read::<RotationDraft>()?.into_valid().map_err(ApiError::Invalid)?;
    let endpoint = registry.catalog.rotate_secret(id, access.tenant(), &rotation).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(RotatedSecret::from(endpoint))).into_response())
}

async fn find(registry: &Registry, access: &Access, id: &str) -> Result<Endpoint, ApiError> {
    let id = segment(id, "endpoint")?;
    registry.catalog.get(id, access.tenant()).await?.ok_or(ApiError::NotFound("endpoint"))
}
