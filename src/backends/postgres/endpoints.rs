//! The catalog: endpoints, and what changed among them.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::TryStreamExt as _;

use super::Postgres;
use super::endpoint_row::{EndpointRow, SpecColumns};
use super::errors::refused;
use super::schema::{webhook_catalog, webhook_endpoints, webhook_removed_endpoints};
use crate::model::clock::{self, Timestamp};
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::page::Page;
use crate::model::rotation::Rotation;
use crate::ports::{BackendError, Catalog, CatalogError, Changes, Encrypted};

impl Postgres {
    async fn changed_since(&self, known: i64) -> Result<Changes, BackendError> {
        let mut connection = self.pooled().await?;
        let catalog = webhook_catalog::table.select(webhook_catalog::revision);
        // Read first: rows that change meanwhile have a later revision, and come again next time.
        let revision: i64 = self.within(catalog.first(&mut *connection)).await?;
        if revision == known {
            return Ok(Changes { revision, ..Changes::default() });
        }
        // A revision from the future was learned before a backup was restored: start over.
        let from = if known > revision { -1 } else { known };
        let rows = webhook_endpoints::table.filter(webhook_endpoints::revision.gt(from)).select(EndpointRow::as_select());
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        // One by one: of a hundred thousand, the rows would take more memory than the endpoints.
        let read = async {
            let mut rows = rows.load_stream::<EndpointRow>(&mut *connection).await?;
            while let Some(row) = rows.try_next().await? {
                if row.deleted_at.is_some() {
                    removed.push(row.id);
                } else {
                    changed.extend(row.into_valid(&self.vault).map(Arc::new));
                }
            }
            Ok(())
        };
        self.within(read).await?;
        let gone =
            webhook_removed_endpoints::table.filter(webhook_removed_endpoints::revision.gt(from)).select(webhook_removed_endpoints::id);
        removed.extend(self.within(gone.load::<i64>(&mut *connection)).await?);
        // Who knows nothing has nothing to remove.
        if known == 0 {
            removed.clear();
        }
        // An id that was deleted and inserted again is there.
        let alive: HashSet<_> = changed.iter().map(|endpoint| endpoint.id).collect();
        removed.retain(|id| !alive.contains(id));
        Ok(Changes { revision, changed, removed })
    }

    pub(super) async fn changed_row(&self, change: Result<Option<EndpointRow>, BackendError>) -> Result<Endpoint, CatalogError> {
        let row = change?.ok_or(CatalogError::NotFound)?;
        Ok(row.into_valid(&self.vault).ok_or_else(|| refused("the endpoint's row is not valid: see the log"))?)
    }
}

#[async_trait]
impl Catalog for Postgres {
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError> {
        self.changed_since(revision).await
    }

    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        self.create_endpoint(new).await
    }

    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError> {
        use webhook_endpoints::dsl;
        let mut connection = self.pooled().await?;
        let reason = spec.is_active.then(|| dsl::disabled_reason.eq(None::<String>));
        let mut statement = diesel::update(dsl::webhook_endpoints)
            .filter(dsl::id.eq(id))
            .filter(dsl::deleted_at.is_null())
            .set((SpecColumns::from(spec), reason))
            .into_boxed();
        if let Some(tenant) = tenant {
            statement = statement.filter(dsl::tenant.eq(tenant));
        }
        let changed = self.within(async { statement.returning(EndpointRow::as_returning()).get_result(&mut *connection).await.optional() });
        self.changed_row(changed.await).await
    }

    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError> {
        use webhook_endpoints::dsl;
        let mut connection = self.pooled().await?;
        let mut statement = diesel::update(dsl::webhook_endpoints)
            .filter(dsl::id.eq(id))
            .filter(dsl::deleted_at.is_null())
            .set(dsl::deleted_at.eq(clock::now()))
            .into_boxed();
        if let Some(tenant) = tenant {
            statement = statement.filter(dsl::tenant.eq(tenant));
        }
        let removed = self.within(statement.execute(&mut *connection)).await?;
        if removed == 0 { Err(CatalogError::NotFound) } else { Ok(()) }
    }

    async fn rotate_secret(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError> {
        self.rotate(id, tenant, rotation).await
    }

    async fn forget_secrets(&self, now: Timestamp) -> Result<u64, BackendError> {
        self.forget_earlier_secrets(now).await
    }

    async fn encrypt_secrets(&self, after: i64, max: usize) -> Result<Encrypted, BackendError> {
        self.encrypt_page(after, max).await
    }

    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError> {
        use webhook_endpoints::dsl;
        let mut connection = self.pooled().await?;
        let query = dsl::webhook_endpoints.filter(dsl::id.eq(id)).filter(dsl::deleted_at.is_null()).select(EndpointRow::as_select());
        let mut query = query.into_boxed();
        if let Some(tenant) = tenant {
            query = query.filter(dsl::tenant.eq(tenant));
        }
        let row = self.within(async { query.first(&mut *connection).await.optional() }).await?;
        Ok(row.and_then(|row| row.into_valid(&self.vault)))
    }

    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError> {
        use webhook_endpoints::dsl;
        let mut connection = self.pooled().await?;
        let mut query = dsl::webhook_endpoints
            .filter(dsl::deleted_at.is_null())
            .select(EndpointRow::as_select())
            .order(dsl::id.desc())
            .limit(i64::from(limit) + 1)
            .into_boxed();
        if let Some(tenant) = tenant {
            query = query.filter(dsl::tenant.eq(tenant));
        }
        if let Some(after) = after {
            query = query.filter(dsl::id.lt(after));
        }
        let rows: Vec<EndpointRow> = self.within(query.load(&mut *connection)).await?;
        let page = Page::from_rows(rows, limit, |row| row.id);
        Ok(Page { items: page.items.into_iter().filter_map(|row| row.into_valid(&self.vault)).collect(), next: page.next })
    }
}
