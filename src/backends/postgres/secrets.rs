//! The secrets of endpoints: made, replaced, encrypted, forgotten.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Json, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::endpoint_row::{EndpointRow, JsonText, SpecColumns};
use super::errors::refused;
use super::schema::webhook_endpoints::dsl;
use super::statement::{RawJson, statement};
use crate::backends::vault::{Owner, Secrets, Stored, Vault};
use crate::model::clock::Timestamp;
use crate::model::endpoint::{Endpoint, NewEndpoint};
use crate::model::rotation::Rotation;
use crate::ports::{BackendError, CatalogError, Encrypted};

statement! {
    NextId {} -> BigInt = "SELECT nextval(pg_get_serial_sequence('webhook_endpoints', 'id'))"
}

statement! {
    /// Nothing, if somebody else was there first. Who changes secrets says when the owner did it, and so does not touch `updated_at` otherwise.
    Replace<'a> {
        secret: &'a str => Text,
        previous: RawJson<'a> => Json,
        by_owner: bool => diesel::sql_types::Bool,
        id: i64 => BigInt,
        old_secret: &'a str => Text,
        old_previous: &'a str => Text,
    } -> BigInt =
        "UPDATE webhook_endpoints SET secret = ?, previous_secrets = ?, \
         updated_at = CASE WHEN ? THEN clock_timestamp() ELSE updated_at END \
         WHERE id = ? AND secret = ? AND previous_secrets::text = ? AND deleted_at IS NULL RETURNING id"
}

/// An endpoint's row as far as its secrets are concerned.
type Row = (i64, String, String, JsonText);

impl Postgres {
    pub(super) async fn create_endpoint(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        let mut connection = self.pooled().await?;
        // Known before it is written: what is sealed is bound to it.
        let id: i64 = self.within(NextId {}.get_result(&mut *connection)).await?;
        let newest = match new.secret {
            Some(secret) => secret,
            None => Vault::make_secret().map_err(refused)?,
        };
        let owner = Owner { id, tenant: &new.tenant };
        let stored = self.vault.write(owner, &Secrets { newest, earlier: Vec::new() }).map_err(refused)?;
        let own = (dsl::id.eq(id), dsl::tenant.eq(new.tenant.to_string()), dsl::secret.eq(stored.secret));
        let statement = diesel::insert_into(dsl::webhook_endpoints).values((SpecColumns::from(new.spec), own));
        let made = self.within(statement.returning(EndpointRow::as_returning()).get_result(&mut *connection)).await;
        self.changed_row(made.map(Some)).await
    }

    pub(super) async fn rotate(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError> {
        let mut connection = self.pooled().await?;
        loop {
            let query = dsl::webhook_endpoints.filter(dsl::id.eq(id)).filter(dsl::deleted_at.is_null());
            let mut query = query.select((dsl::id, dsl::tenant, dsl::secret, dsl::previous_secrets)).into_boxed();
            if let Some(tenant) = tenant {
                query = query.filter(dsl::tenant.eq(tenant));
            }
            let row: Option<Row> = self.within(async { query.first(&mut *connection).await.optional() }).await?;
            let (id, tenant, secret, JsonText(previous)) = row.ok_or(CatalogError::NotFound)?;
            let (owner, old) = (Owner { id, tenant: &tenant }, Stored { secret, previous });
            let held = self.vault.read(owner, &old).map_err(|error| CatalogError::Conflict(error.to_string()))?;
            let new = self.vault.write(owner, &held.rotated(rotation)?).map_err(refused)?;
            if self.replace(&mut connection, id, &old, &new, true).await? {
                break;
            }
        }
        let query = dsl::webhook_endpoints.filter(dsl::id.eq(id)).select(EndpointRow::as_select());
        self.changed_row(self.within(async { query.first(&mut *connection).await.optional() }).await).await
    }

    async fn replace(
        &self,
        connection: &mut AsyncPgConnection,
        id: i64,
        old: &Stored,
        new: &Stored,
        by_owner: bool,
    ) -> Result<bool, BackendError> {
        let (secret, previous) = (&*new.secret, RawJson(&new.previous));
        let statement = Replace { secret, previous, by_owner, id, old_secret: &old.secret, old_previous: &old.previous };
        let replaced: Vec<i64> = self.within(statement.load(connection)).await?;
        Ok(!replaced.is_empty())
    }

    pub(super) async fn forget_earlier_secrets(&self, now: Timestamp) -> Result<u64, BackendError> {
        let mut connection = self.pooled().await?;
        let some = diesel::dsl::sql::<diesel::sql_types::Bool>("previous_secrets::text <> '[]'");
        let query = dsl::webhook_endpoints.filter(dsl::deleted_at.is_null()).filter(some);
        let query = query.select((dsl::id, dsl::tenant, dsl::secret, dsl::previous_secrets));
        let rows: Vec<Row> = self.within(query.load(&mut *connection)).await?;
        let mut forgotten = 0;
        for (id, _, secret, JsonText(previous)) in rows {
            let old = Stored { secret, previous };
            // What cannot be read is reported where it is needed.
            if let Ok(Some(new)) = old.without_expired(now) {
                // Who changed it meanwhile is looked at next time.
                forgotten += u64::from(self.replace(&mut connection, id, &old, &new, false).await?);
            }
        }
        Ok(forgotten)
    }

    pub(super) async fn encrypt_page(&self, after: i64, max: usize) -> Result<Encrypted, BackendError> {
        let mut connection = self.pooled().await?;
        let query = dsl::webhook_endpoints.filter(dsl::deleted_at.is_null()).filter(dsl::id.gt(after)).order(dsl::id.asc());
        let query = query.limit(i64::try_from(max).unwrap_or(i64::MAX));
        let query = query.select((dsl::id, dsl::tenant, dsl::secret, dsl::previous_secrets));
        let rows: Vec<Row> = self.within(query.load(&mut *connection)).await?;
        let mut done = Encrypted { looked_at: rows.len() as u64, ..Encrypted::default() };
        if rows.len() == max {
            done.next = rows.last().map(|row| row.0);
        }
        for row in rows {
            let mut row = Some(row);
            // Again, if somebody rotated it meanwhile.
            while let Some((id, tenant, secret, JsonText(previous))) = row.take() {
                let old = Stored { secret, previous };
                match self.vault.sealed_anew(Owner { id, tenant: &tenant }, &old) {
                    Ok(None) => {}
                    Ok(Some(new)) if self.replace(&mut connection, id, &old, &new, false).await? => done.encrypted += 1,
                    Ok(Some(_)) => {
                        let query = dsl::webhook_endpoints.filter(dsl::id.eq(id)).filter(dsl::deleted_at.is_null());
                        let query = query.select((dsl::id, dsl::tenant, dsl::secret, dsl::previous_secrets));
                        row = self.within(async { query.first(&mut *connection).await.optional() }).await?;
                    }
                    Err(error) => done.unreadable.push((id, error.to_string())),
                }
            }
        }
        Ok(done)
    }
}
