//! The catalog on one file.

use std::sync::Arc;

use async_trait::async_trait;

use crate::backends::sqlite::{Sqlite, endpoints, secrets};
use crate::model::clock::Timestamp;
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::page::Page;
use crate::model::rotation::Rotation;
use crate::ports::{BackendError, Catalog, CatalogError, Changes, Encrypted};

#[async_trait]
impl Catalog for Sqlite {
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError> {
        let vault = Arc::clone(&self.vault);
        self.readers.run(move |conn| endpoints::changes(conn, &vault, revision)).await
    }

    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        let vault = Arc::clone(&self.vault);
        Ok(self.writer.run(move |conn| endpoints::create(conn, &vault, new)).await?)
    }

    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError> {
        let tenant = tenant.map(str::to_owned);
        let vault = Arc::clone(&self.vault);
        let updated = self.writer.run(move |conn| endpoints::update(conn, &vault, id, tenant.as_deref(), &spec)).await?;
        updated.ok_or(CatalogError::NotFound)
    }

    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError> {
        let tenant = tenant.map(str::to_owned);
        let was_there = self.writer.run(move |conn| endpoints::remove(conn, id, tenant.as_deref())).await?;
        was_there.then_some(()).ok_or(CatalogError::NotFound)
    }

    async fn rotate_secret(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError> {
        let (tenant, rotation, vault) = (tenant.map(str::to_owned), rotation.clone(), Arc::clone(&self.vault));
        self.writer.run(move |conn| secrets::rotate(conn, &vault, id, tenant.as_deref(), &rotation)).await?
    }

    async fn forget_secrets(&self, now: Timestamp) -> Result<u64, BackendError> {
        self.writer.run(move |conn| secrets::forget(conn, now)).await
    }

    async fn encrypt_secrets(&self, after: i64, max: usize) -> Result<Encrypted, BackendError> {
        let vault = Arc::clone(&self.vault);
        self.writer.run(move |conn| secrets::encrypt(conn, &vault, after, max)).await
    }

    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        let vault = Arc::clone(&self.vault);
        self.readers.run(move |conn| endpoints::get(conn, &vault, id, tenant.as_deref())).await
    }

    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        let vault = Arc::clone(&self.vault);
        self.readers.run(move |conn| endpoints::list(conn, &vault, tenant.as_deref(), after, limit)).await
    }
}
