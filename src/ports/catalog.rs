//! The endpoints, and what changes among them.

use std::sync::Arc;

use async_trait::async_trait;

use super::BackendError;
use crate::model::clock::Timestamp;
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::page::Page;
use crate::model::problem::Problem;
use crate::model::rotation::Rotation;

/// What changed among the endpoints.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The revision that is reached with these.
    pub revision: i64,
    /// New and changed endpoints, inactive ones included.
    pub changed: Vec<Arc<Endpoint>>,
    pub removed: Vec<i64>,
}

/// What one step of encrypting came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encrypted {
    pub looked_at: u64,
    pub encrypted: u64,
    /// Endpoints whose secrets cannot be read, with the reason.
    pub unreadable: Vec<(i64, String)>,
    /// The last endpoint that was looked at; `None` when there were fewer than `max`.
    pub next: Option<i64>,
}

/// Why an endpoint could not be registered, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("there is no such endpoint")]
    NotFound,
    #[error("the endpoint is not valid")]
    Invalid(Vec<Problem>),
    /// As things stand it cannot be done; why is for the owner.
    #[error("{0}")]
    Conflict(String),
}

/// The endpoints.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// All that changed after `revision`, whoever changed it and by whatever means, SQL included; everything when `revision` is 0.
    /// Costs next to nothing when nothing changed.
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError>;

    /// Registers an endpoint. A missing secret is made: `whsec_` and the base64 of 32 random bytes.
    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError>;

    /// Replaces what the owner chose. Making it active takes its `disabled_reason` and its `failing_since` away; it is `recovering`
    /// then if it had such a reason.
    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError>;

    /// Removes an endpoint. Its deliveries stay listed.
    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError>;

    /// Replaces the secret, whoever else does at the same time. The one that was replaced stays valid for the overlap, and no earlier one
    /// for longer than that. `Conflict` when too many are valid, when those that there are cannot be read, or when the new one is among
    /// them.
    async fn rotate_secret(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError>;

    /// Removes earlier secrets whose time was over at `now`, and answers from how many endpoints.
    async fn forget_secrets(&self, now: Timestamp) -> Result<u64, BackendError>;

    /// Encrypts the secrets of up to `max` endpoints after `after`, in the order of their ids, with the first master key, where they
    /// are not. `updated_at` stays. Those that cannot be read are left as they are.
    async fn encrypt_secrets(&self, after: i64, max: usize) -> Result<Encrypted, BackendError>;

    /// One endpoint; `None` too when it is of another tenant.
    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError>;

    /// Endpoints newest first, starting after `after`.
    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError>;
}
