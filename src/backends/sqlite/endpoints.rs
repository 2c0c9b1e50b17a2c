//! Endpoints in the file.

use std::sync::Arc;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::Sqlite as Backend;

use crate::backends::sqlite::schema::{webhook_catalog as c, webhook_endpoints as p, webhook_removed_endpoints as r};
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{micros, number, time};
use crate::backends::vault::{Owner, Secrets, Stored, Vault};
use crate::model::clock;
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::event::intern_tenant;
use crate::model::page::Page;
use crate::model::pattern::Pattern;
use crate::ports::Changes;

#[derive(Queryable, Selectable)]
#[diesel(table_name = p, check_for_backend(Backend))]
struct Row {
    id: i64,
    tenant: String,
    name: String,
    url: String,
    is_active: bool,
    event_types: String,
    headers: String,
    timeout: f64,
    max_retries: i64,
    retry_delay: f64,
    retry_schedule: Option<String>,
    rate_limit: Option<String>,
    in_flight: Option<i64>,
    secret: String,
    disabled_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
    failing_since: Option<i64>,
    recovering: bool,
    previous_secrets: String,
}

impl Row {
    fn endpoint(self, vault: &Vault) -> Result<Endpoint, Trouble> {
        let id = self.id;
        let spec = self.spec().map_err(|why| Trouble::odd("webhook_endpoints", id, why))?;
        let stored = Stored { secret: self.secret, previous: self.previous_secrets };
        let (Secrets { newest, earlier }, locked) = vault.unlock(Owner { id, tenant: &self.tenant }, &stored);
        Ok(Endpoint {
            id,
            tenant: intern_tenant(&self.tenant),
            spec,
            secret: newest,
            earlier,
            locked,
            disabled_reason: self.disabled_reason,
            failing_since: self.failing_since.map(time),
            recovering: self.recovering,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
        })
    }

    fn spec(&self) -> Result<EndpointSpec, String> {
        let patterns: Vec<String> = json("event_types", &self.event_types)?;
        Ok(EndpointSpec {
            name: self.name.clone(),
            url: self.url.parse().map_err(|error| format!("url: {error}"))?,
            event_types: patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?,
            headers: json("headers", &self.headers)?,
            timeout: seconds("timeout", self.timeout)?,
            max_retries: number(self.max_retries),
            retry_delay: seconds("retry_delay", self.retry_delay)?,
            retry_schedule: self.retry_schedule.as_deref().map(|text| json("retry_schedule", text)).transpose()?,
            rate_limit: self.rate_limit.as_deref().map(|text| json("rate_limit", text)).transpose()?,
            in_flight: self.in_flight.map(number),
            is_active: self.is_active,
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{column}: {error}"))
}

fn seconds(column: &str, stored: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(stored).map_err(|error| format!("{column}: {error}"))
}

fn text<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(|error| Trouble::Refused(error.to_string()))
}

/// What a registration and a change both write.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = p, treat_none_as_null = true)]
struct Chosen {
    name: String,
    url: String,
    is_active: bool,
    event_types: String,
    headers: String,
    timeout: f64,
    max_retries: i64,
    retry_delay: f64,
    retry_schedule: Option<String>,
    rate_limit: Option<String>,
    in_flight: Option<i64>,
    updated_at: i64,
}

impl Chosen {
    fn of(spec: &EndpointSpec, now: i64) -> Result<Self, Trouble> {
        let patterns: Vec<String> = spec.event_types.iter().map(ToString::to_string).collect();
        Ok(Self {
            name: spec.name.clone(),
            url: spec.url.to_string(),
            is_active: spec.is_active,
            event_types: text(&patterns)?,
            headers: text(&spec.headers)?,
            timeout: spec.timeout.as_secs_f64(),
            max_retries: i64::from(spec.max_retries),
            retry_delay: spec.retry_delay.as_secs_f64(),
            retry_schedule: spec.retry_schedule.as_ref().map(text).transpose()?,
            rate_limit: spec.rate_limit.as_ref().map(text).transpose()?,
            in_flight: spec.in_flight.map(i64::from),
            updated_at: now,
        })
    }
}

pub(super) fn revision(conn: &mut SqliteConnection) -> Result<i64, Trouble> {
    Ok(c::table.select(c::revision).get_result(conn)?)
}

/// All that changed after `since`.
pub(super) fn changes(conn: &mut SqliteConnection, vault: &Vault, since: i64) -> Result<Changes, Trouble> {
    let mut changes = Changes { revision: revision(conn)?, ..Changes::default() };
    if changes.revision == since {
        return Ok(changes);
    }
    let rows: Vec<Row> = p::table.filter(p::revision.gt(since)).order(p::id.asc()).select(Row::as_select()).load(conn)?;
    for row in rows {
        let id = row.id;
        if row.deleted_at.is_some() {
            changes.removed.push(id);
            continue;
        }
        match row.endpoint(vault) {
            Ok(endpoint) => changes.changed.push(Arc::new(endpoint)),
            // One row that plain SQL spoilt must not stop all the others.
            Err(trouble) => {
                tracing::error!(endpoint_id = id, ?trouble, "left out an endpoint that cannot be read: correct its row");
                changes.removed.push(id);
            }
        }
    }
    changes.removed.extend(r::table.filter(r::revision.gt(since)).select(r::id).load::<i64>(conn)?);
    Ok(changes)
}

/// Must run in a transaction.
pub(super) fn create(conn: &mut SqliteConnection, vault: &Vault, new: NewEndpoint) -> Result<Endpoint, Trouble> {
    let now = micros(clock::now());
    let newest = match new.secret {
        Some(secret) => secret,
        None => Vault::make_secret()?,
    };
    // What is sealed is bound to the id, which is not known yet.
    let given = (p::tenant.eq(&*new.tenant), p::secret.eq(""), p::created_at.eq(now));
    diesel::insert_into(p::table).values((Chosen::of(&new.spec, now)?, given)).execute(conn)?;
    let id = diesel::select(sql::<BigInt>("last_insert_rowid()")).get_result(conn)?;
    let stored = vault.write(Owner { id, tenant: &new.tenant }, &Secrets { newest, earlier: Vec::new() })?;
    diesel::update(p::table.find(id)).set(p::secret.eq(stored.secret)).execute(conn)?;
    get(conn, vault, id, None)?.ok_or_else(|| Trouble::odd("webhook_endpoints", id, "is gone at once"))
}

/// `None` when there is no such endpoint for the tenant.
pub(super) fn update(
    conn: &mut SqliteConnection,
    vault: &Vault,
    id: i64,
    tenant: Option<&str>,
    spec: &EndpointSpec,
) -> Result<Option<Endpoint>, Trouble> {
    let Some(before) = get(conn, vault, id, tenant)? else {
        return Ok(None);
    };
    let reason = before.disabled_reason.filter(|_| !spec.is_active);
    let chosen = Chosen::of(spec, micros(clock::now()))?;
    let reason = p::disabled_reason.eq(reason.into_sql::<Nullable<Text>>());
    diesel::update(p::table.find(id)).set((chosen, reason)).execute(conn)?;
    get(conn, vault, id, tenant)
}

/// Answers whether it was there. The row stays, for the names in lists.
pub(super) fn remove(conn: &mut SqliteConnection, id: i64, tenant: Option<&str>) -> Result<bool, Trouble> {
    let now = micros(clock::now());
    let mut there =
        diesel::update(p::table.find(id).filter(p::deleted_at.is_null())).set((p::deleted_at.eq(now), p::is_active.eq(false))).into_boxed();
    if let Some(tenant) = tenant {
        there = there.filter(p::tenant.eq(tenant));
    }
    Ok(there.execute(conn)? == 1)
}

pub(super) fn get(conn: &mut SqliteConnection, vault: &Vault, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, Trouble> {
    let mut query = p::table.filter(p::id.eq(id)).filter(p::deleted_at.is_null()).select(Row::as_select()).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(p::tenant.eq(tenant));
    }
    let row: Option<Row> = query.first(conn).optional()?;
    row.map(|row| row.endpoint(vault)).transpose()
}

/// Newest first, starting after `after`.
pub(super) fn list(
    conn: &mut SqliteConnection,
    vault: &Vault,
    tenant: Option<&str>,
    after: Option<i64>,
    limit: u32,
) -> Result<Page<Endpoint, i64>, Trouble> {
    let mut query =
        p::table.filter(p::deleted_at.is_null()).order(p::id.desc()).limit(i64::from(limit) + 1).select(Row::as_select()).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(p::tenant.eq(tenant));
    }
    if let Some(after) = after {
        query = query.filter(p::id.lt(after));
    }
    let rows: Vec<Row> = query.load(conn)?;
    let endpoints = rows.into_iter().map(|row| row.endpoint(vault)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(endpoints, limit, |endpoint| endpoint.id))
}
