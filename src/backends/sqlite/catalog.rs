//! The catalog on one file.

use async_trait::async_trait;

use crate::backends::sqlite::{Sqlite, endpoints};
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::page::Page;
use crate::ports::{BackendError, Catalog, CatalogError, Changes};

#[async_trait]
impl Catalog for Sqlite {
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError> {
        self.readers.run(move |conn| endpoints::changes(conn, revision)).await
    }

    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        Ok(self.writer.run(|conn| endpoints::create(conn, new)).await?)
    }

    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError> {
        let tenant = tenant.map(str::to_owned);
        let updated = self.writer.run(move |conn| endpoints::update(conn, id, tenant.as_deref(), &spec)).await?;
        updated.ok_or(CatalogError::NotFound)
    }

    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError> {
        let tenant = tenant.map(str::to_owned);
        let was_there = self.writer.run(move |conn| endpoints::remove(conn, id, tenant.as_deref())).await?;
        was_there.then_some(()).ok_or(CatalogError::NotFound)
    }

    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| endpoints::get(conn, id, tenant.as_deref())).await
    }

    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| endpoints::list(conn, tenant.as_deref(), after, limit)).await
    }
}
