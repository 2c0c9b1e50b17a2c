//! Events in the file: accepting them, and finding those that nobody has routed.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::backends::sqlite::schema::webhook_events as e;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{limit, micros, time};
use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventFields, EventKey, intern_tenant};
use crate::model::trace::TraceContext;
use crate::ports::{Accepted, Known};

/// Writes the event unless it is there. Answers whether it was new.
pub(super) fn insert(conn: &mut SqliteConnection, event: &Event, routed_at: Option<Timestamp>) -> Result<bool, Trouble> {
    // One statement of one shape per row: Diesel prepares it once per connection.
    let rows = diesel::insert_into(e::table)
        .values((
            e::tenant.eq(&*event.key.tenant),
            e::id.eq(&*event.key.id),
            e::event_type.eq(&*event.event_type),
            e::data.eq(event.data()),
            e::source.eq(&event.source),
            e::version.eq(&event.version),
            e::timestamp.eq(event.timestamp),
            e::created_at.eq(micros(event.accepted_at)),
            e::routed_at.eq(routed_at.map(micros).into_sql::<Nullable<BigInt>>()),
            e::traceparent.eq(traceparent(event).into_sql::<Nullable<Text>>()),
        ))
        .on_conflict((e::id, e::tenant))
        .do_nothing()
        .execute(conn)?;
    Ok(rows == 1)
}

fn traceparent(event: &Event) -> Option<String> {
    event.traceparent.map(|context| context.to_string())
}

/// Writes the event unless it is there and not set aside. Answers whether it was new.
pub(super) fn accept(conn: &mut SqliteConnection, event: &Event) -> Result<bool, Trouble> {
    if insert(conn, event, None)? {
        return Ok(true);
    }
    let aside = e::table.filter(e::id.eq(&*event.key.id)).filter(e::tenant.eq(&*event.key.tenant)).filter(e::set_aside.is_not_null());
    let own = (
        e::event_type.eq(&*event.event_type),
        e::data.eq(event.data()),
        e::source.eq(&event.source),
        e::version.eq(&event.version),
        e::timestamp.eq(event.timestamp),
        e::traceparent.eq(traceparent(event)),
        e::set_aside.eq(None::<String>),
    );
    Ok(diesel::update(aside.filter(e::routed_at.is_null())).set(own).execute(conn)? == 1)
}

/// Writes down that the event's deliveries are recorded. Answers whether nobody had done so before.
///
/// The time of acceptance becomes that of `event`, for the ids of its deliveries were made from it.
pub(super) fn mark_routed(conn: &mut SqliteConnection, event: &Event, at: Timestamp) -> Result<bool, Trouble> {
    let mark = MarkRouted { routed_at: micros(at), created_at: micros(event.accepted_at), id: &event.key.id, tenant: &event.key.tenant };
    Ok(mark.execute(conn)? == 1)
}

/// Once for each accepted event, so it must stay prepared: Diesel's own updates are parsed anew every time.
struct MarkRouted<'a> {
    routed_at: i64,
    created_at: i64,
    id: &'a str,
    tenant: &'a str,
}

impl QueryId for MarkRouted<'_> {
    type QueryId = MarkRouted<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<diesel::sqlite::Sqlite> for MarkRouted<'_> {
    fn walk_ast<'pass>(&'pass self, mut out: AstPass<'_, 'pass, diesel::sqlite::Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE webhook_events SET set_aside = NULL, routed_at = ");
        out.push_bind_param::<BigInt, _>(&self.routed_at)?;
        out.push_sql(", created_at = ");
        out.push_bind_param::<BigInt, _>(&self.created_at)?;
        out.push_sql(" WHERE routed_at IS NULL AND id = ");
        out.push_bind_param::<Text, _>(self.id)?;
        out.push_sql(" AND tenant = ");
        out.push_bind_param::<Text, _>(self.tenant)
    }
}

impl RunQueryDsl<SqliteConnection> for MarkRouted<'_> {}

pub(super) fn known(conn: &mut SqliteConnection, key: &EventKey) -> Result<Known, Trouble> {
    let row = e::table
        .filter(e::id.eq(&*key.id))
        .filter(e::tenant.eq(&*key.tenant))
        .select((e::routed_at, e::set_aside.is_not_null()))
        .get_result::<(Option<i64>, bool)>(conn)
        .optional()?;
    Ok(match row {
        None => Known::No,
        Some((Some(_), _)) => Known::Routed,
        Some((None, true)) => Known::SetAside,
        Some((None, false)) => Known::Accepted,
    })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = e, check_for_backend(diesel::sqlite::Sqlite))]
struct Row {
    tenant: String,
    id: String,
    event_type: String,
    data: String,
    source: String,
    version: String,
    timestamp: f64,
    created_at: i64,
    traceparent: Option<String>,
}

impl Row {
    fn into_event(self) -> Event {
        Event::new(EventFields {
            key: EventKey { tenant: intern_tenant(&self.tenant), id: self.id.into() },
            event_type: self.event_type.into(),
            data: &self.data,
            source: self.source,
            version: self.version,
            timestamp: self.timestamp,
            accepted_at: time(self.created_at),
            traceparent: self.traceparent.as_deref().and_then(TraceContext::parse),
        })
    }
}

pub(super) fn load(conn: &mut SqliteConnection, tenant: &str, id: &str) -> Result<Option<Event>, Trouble> {
    let row = e::table.filter(e::id.eq(id)).filter(e::tenant.eq(tenant)).select(Row::as_select()).get_result(conn).optional()?;
    Ok(row.map(Row::into_event))
}

/// The event, unless it is routed or set aside.
pub(super) fn load_accepted(conn: &mut SqliteConnection, key: &EventKey, max_bytes: usize) -> Result<Option<Accepted>, Trouble> {
    let row = e::table
        .filter(e::id.eq(&*key.id))
        .filter(e::tenant.eq(&*key.tenant))
        .filter(e::routed_at.is_null())
        .filter(e::set_aside.is_null())
        .select(Row::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(|row| match row.data.len() {
        bytes if bytes > max_bytes => Accepted::TooLarge { key: key.clone(), event_type: row.event_type.into(), bytes: bytes as u64 },
        _ => Accepted::Event(row.into_event()),
    }))
}

/// Makes an accepted event a dead letter, unless it was routed meanwhile.
pub(super) fn set_aside(conn: &mut SqliteConnection, key: &EventKey, reason: &str) -> Result<(), Trouble> {
    let accepted = e::table.filter(e::id.eq(&*key.id)).filter(e::tenant.eq(&*key.tenant)).filter(e::routed_at.is_null());
    diesel::update(accepted).set(e::set_aside.eq(reason)).execute(conn)?;
    Ok(())
}

/// When the events of that id were accepted: one at most for each tenant.
pub(super) fn acceptances(conn: &mut SqliteConnection, tenant: Option<&str>, id: &str) -> Result<Vec<(EventKey, Timestamp)>, Trouble> {
    let mut query = e::table.filter(e::id.eq(id)).select((e::tenant, e::created_at)).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(e::tenant.eq(tenant));
    }
    let rows: Vec<(String, i64)> = query.load(conn)?;
    Ok(rows.into_iter().map(|(tenant, at)| (EventKey { tenant: intern_tenant(&tenant), id: Arc::from(id) }, time(at))).collect())
}

/// Accepted before `before`, after `from`; in the order of acceptance.
pub(super) fn unrouted(
    conn: &mut SqliteConnection,
    before: Timestamp,
    from: Option<&(Timestamp, EventKey)>,
    max: usize,
) -> Result<Vec<(EventKey, Timestamp)>, Trouble> {
    let mut query = e::table
        .filter(e::routed_at.is_null())
        .filter(e::set_aside.is_null())
        .filter(e::created_at.lt(micros(before)))
        .order((e::created_at.asc(), e::seq.asc()))
        .limit(limit(max))
        .select((e::tenant, e::id, e::created_at))
        .into_boxed();
    if let Some((at, key)) = from {
        let seq = e::table.filter(e::id.eq(&*key.id)).filter(e::tenant.eq(&*key.tenant)).select(e::seq).get_result::<i64>(conn);
        let after = e::created_at.gt(micros(*at)).or(e::created_at.eq(micros(*at)).and(e::seq.gt(seq.optional()?.unwrap_or(0))));
        // The first bound is the one that the index can start from.
        query = query.filter(e::created_at.ge(micros(*at))).filter(after);
    }
    let rows: Vec<(String, String, i64)> = query.load(conn)?;
    Ok(rows.into_iter().map(|(tenant, id, at)| (EventKey { tenant: intern_tenant(&tenant), id: id.into() }, time(at))).collect())
}
