//! The secrets of endpoints: replaced, encrypted, forgotten. All of it must run in a transaction.

use diesel::prelude::*;

use crate::backends::sqlite::endpoints;
use crate::backends::sqlite::schema::webhook_endpoints as p;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{limit, micros};
use crate::backends::vault::{Owner, Stored, Vault, VaultError};
use crate::model::clock::{self, Timestamp};
use crate::model::endpoint::Endpoint;
use crate::model::rotation::Rotation;
use crate::ports::{CatalogError, Encrypted};

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// An endpoint's row as far as its secrets are concerned.
type Row = (i64, String, String, String);

pub(super) fn rotate(
    conn: &mut SqliteConnection,
    vault: &Vault,
    id: i64,
    tenant: Option<&str>,
    rotation: &Rotation,
) -> Result<Result<Endpoint, CatalogError>, Trouble> {
    let mut query =
        p::table.find(id).filter(p::deleted_at.is_null()).select((p::id, p::tenant, p::secret, p::previous_secrets)).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(p::tenant.eq(tenant));
    }
    let Some((id, tenant, secret, previous)): Option<Row> = query.first(conn).optional()? else {
        return Ok(Err(CatalogError::NotFound));
    };
    let owner = Owner { id, tenant: &tenant };
    let held = match vault.read(owner, &Stored { secret, previous }) {
        Ok(held) => held,
        Err(error) => return Ok(Err(CatalogError::Conflict(error.to_string()))),
    };
    let new = match held.rotated(rotation) {
        Ok(new) => new,
        Err(why) => return Ok(Err(why.into())),
    };
    replace(conn, id, &vault.write(owner, &new)?)?;
    diesel::update(p::table.find(id)).set(p::updated_at.eq(micros(clock::now()))).execute(conn)?;
    Ok(endpoints::get(conn, vault, id, None)?.ok_or(CatalogError::NotFound))
}

fn replace(conn: &mut SqliteConnection, id: i64, new: &Stored) -> Result<(), Trouble> {
    diesel::update(p::table.find(id)).set((p::secret.eq(&new.secret), p::previous_secrets.eq(&new.previous))).execute(conn)?;
    Ok(())
}

/// Answers from how many endpoints.
pub(super) fn forget(conn: &mut SqliteConnection, now: Timestamp) -> Result<u64, Trouble> {
    let some = p::table.filter(p::deleted_at.is_null()).filter(p::previous_secrets.ne("[]"));
    let rows: Vec<Row> = some.select((p::id, p::tenant, p::secret, p::previous_secrets)).load(conn)?;
    let mut forgotten = 0;
    for (id, _, secret, previous) in rows {
        // What cannot be read is reported where it is needed.
        if let Ok(Some(new)) = (Stored { secret, previous }).without_expired(now) {
            replace(conn, id, &new)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

pub(super) fn encrypt(conn: &mut SqliteConnection, vault: &Vault, after: i64, max: usize) -> Result<Encrypted, Trouble> {
    let page = p::table.filter(p::deleted_at.is_null()).filter(p::id.gt(after)).order(p::id.asc()).limit(limit(max));
    let rows: Vec<Row> = page.select((p::id, p::tenant, p::secret, p::previous_secrets)).load(conn)?;
    let mut done = Encrypted { looked_at: rows.len() as u64, ..Encrypted::default() };
    if rows.len() == max {
        done.next = rows.last().map(|row| row.0);
    }
    for (id, tenant, secret, previous) in rows {
        match vault.sealed_anew(Owner { id, tenant: &tenant }, &Stored { secret, previous }) {
            Ok(None) => {}
            Ok(Some(new)) => {
                replace(conn, id, &new)?;
                done.encrypted += 1;
            }
            Err(error) => done.unreadable.push((id, error.to_string())),
        }
    }
    Ok(done)
}
