//! Events: accepted, looked up, loaded.

use std::collections::HashSet;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Integer, Json, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::statement::{RawJson, Traceparent, statement, traceparents};
use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventFields, EventKey, intern_tenant};
use crate::model::event_view::{EventDetail, EventView};
use crate::model::trace::TraceContext;
use crate::ports::{Accepted, BackendError, Known};

/// Inserts events from nine columns, in this order, and from what else is named. Answers the keys of those that were not there.
macro_rules! insert_accepted_sql {
    ($from:literal) => {
        concat!(
            "INSERT INTO webhook_events AS e (tenant, id, event_type, data, source, version, \"timestamp\", created_at, \
             traceparent) SELECT v.* FROM (SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), \
             unnest(?)) AS v",
            $from,
            " ON CONFLICT (tenant, id) DO UPDATE SET event_type = EXCLUDED.event_type, \
             data = EXCLUDED.data, source = EXCLUDED.source, version = EXCLUDED.version, \"timestamp\" = EXCLUDED.\"timestamp\", \
             traceparent = EXCLUDED.traceparent, set_aside = NULL WHERE e.set_aside IS NOT NULL AND e.routed_at IS NULL \
             RETURNING e.tenant, e.id"
        )
    };
}
pub(super) use insert_accepted_sql;

statement! {
    InsertAccepted<'a> {
        tenant: Vec<&'a str> => Array<Text>,
        id: Vec<&'a str> => Array<Text>,
        event_type: Vec<&'a str> => Array<Text>,
        data: Vec<RawJson<'a>> => Array<Json>,
        source: Vec<&'a str> => Array<Text>,
        version: Vec<&'a str> => Array<Text>,
        timestamp: Vec<f64> => Array<Double>,
        created_at: Vec<Timestamp> => Array<Timestamptz>,
        traceparent: Vec<Option<Traceparent>> => Array<Nullable<Text>>,
    } -> (Text, Text) =
        insert_accepted_sql!("")
}

statement! {
    /// Not a join: of a table that is small when this is planned for, a join would read every row, and go on so as it grows.
    FindKnown<'a> {
        tenant: Vec<&'a str> => Array<Text>,
        id: Vec<&'a str> => Array<Text>,
    } -> Nullable<Text> =
        "SELECT (SELECT CASE WHEN e.routed_at IS NOT NULL THEN 'routed' WHEN e.set_aside IS NOT NULL THEN 'set aside' \
         ELSE 'accepted' END FROM webhook_events e WHERE e.tenant = v.tenant AND e.id = v.id) \
         FROM unnest(?, ?) WITH ORDINALITY AS v (tenant, id, place) ORDER BY v.place"
}

statement! {
    /// `OFFSET 0` keeps this from being made a join, for the same reason. What is asked besides the key stands outside: inside it would make an
    /// index of what is not routed look as good as the key, which it is only as long as it is empty.
    LoadAccepted<'a> {
        max_bytes: i32 => Integer,
        tenant: Vec<&'a str> => Array<Text>,
        id: Vec<&'a str> => Array<Text>,
    } -> (Text, Text, Text, Nullable<Text>, Integer, Text, Text, Double, Timestamptz, Nullable<Text>) =
        "SELECT e.tenant, e.id, e.event_type, CASE WHEN octet_length(e.data::text) <= ? THEN e.data::text END, \
         octet_length(e.data::text), e.source, e.version, e.\"timestamp\", e.created_at, left(e.traceparent, 56) \
         FROM unnest(?, ?) AS v (tenant, id), LATERAL (SELECT * FROM webhook_events e WHERE e.tenant = v.tenant AND e.id = v.id \
         OFFSET 0) AS e WHERE e.routed_at IS NULL AND e.set_aside IS NULL"
}

statement! {
    LookUp<'a> {
        max_bytes: i32 => Integer,
        tenant: &'a str => Text,
        id: &'a str => Text,
    } -> (Text, Text, Text, Double, Timestamptz, Nullable<Timestamptz>, Nullable<Text>, Nullable<Text>, Integer) =
        "SELECT event_type, source, version, \"timestamp\", created_at, routed_at, set_aside, \
         CASE WHEN octet_length(data::text) <= ? THEN data::text END, octet_length(data::text) \
         FROM webhook_events WHERE tenant = ? AND id = ?"
}

statement! {
    FindUnrouted<'a> {
        before: Timestamp => Timestamptz,
        from: Timestamp => Timestamptz,
        from_tenant: &'a str => Text,
        from_id: &'a str => Text,
        max: i64 => BigInt,
    } -> (Text, Text, Timestamptz) =
        "SELECT tenant, id, created_at FROM webhook_events WHERE routed_at IS NULL AND set_aside IS NULL AND created_at < ? \
         AND (created_at, tenant, id) > (?, ?, ?) ORDER BY created_at, tenant, id LIMIT ?"
}

/// An event's row: tenant, id, type, data, source, version, timestamp, acceptance, and as much of `traceparent` as counts.
pub(super) type EventRow = (String, String, String, String, String, String, f64, Timestamp, Option<String>);

pub(super) fn event_of(row: EventRow) -> Event {
    let (tenant, id, event_type, data, source, version, timestamp, accepted_at, traceparent) = row;
    Event::new(EventFields {
        key: EventKey { tenant: intern_tenant(&tenant), id: id.into() },
        event_type: event_type.into(),
        data: &data,
        source,
        version,
        timestamp,
        accepted_at,
        traceparent: traceparent.and_then(|text| TraceContext::parse(&text)),
    })
}

/// The same, with the length of the data, which is left out where it is too long.
type AcceptedRow = (String, String, String, Option<String>, i32, String, String, f64, Timestamp, Option<String>);

fn accepted_of(row: AcceptedRow) -> Accepted {
    let (tenant, id, event_type, data, bytes, source, version, timestamp, accepted_at, traceparent) = row;
    match data {
        Some(data) => Accepted::Event(event_of((tenant, id, event_type, data, source, version, timestamp, accepted_at, traceparent))),
        None => Accepted::TooLarge {
            key: EventKey { tenant: intern_tenant(&tenant), id: id.into() },
            event_type: event_type.into(),
            bytes: u64::try_from(bytes).unwrap_or(0),
        },
    }
}

/// The same for one that is shown: type, source, version, timestamp, acceptance, routing, why it is set aside, data and its length.
type DetailRow = (String, String, String, f64, Timestamp, Option<Timestamp>, Option<String>, Option<String>, i32);

fn detail_of(key: &EventKey, row: DetailRow) -> EventDetail {
    let (event_type, source, version, timestamp, created_at, routed_at, set_aside, data, bytes) = row;
    let view = EventView { key: key.clone(), event_type, source, version, timestamp, created_at, routed_at, set_aside };
    EventDetail { view, data, data_bytes: u64::try_from(bytes).unwrap_or(0) }
}

fn tenants(keys: &[EventKey]) -> Vec<&str> {
    keys.iter().map(|key| &*key.tenant).collect()
}

fn ids(keys: &[EventKey]) -> Vec<&str> {
    keys.iter().map(|key| &*key.id).collect()
}

/// Each once: a row cannot be written twice by one statement. In one order for everybody: two who insert the same keys then wait for each
/// other in turn, never in a circle.
pub(super) fn in_order(mut rows: Vec<&Event>) -> Vec<&Event> {
    let mut seen = HashSet::with_capacity(rows.len());
    rows.retain(|event| seen.insert(&event.key));
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

/// Whether each of them was inserted, the first time that it comes.
pub(super) fn flags(events: &[Arc<Event>], inserted: &[(String, String)]) -> Vec<bool> {
    let mut new: HashSet<(&str, &str)> = inserted.iter().map(|(tenant, id)| (tenant.as_str(), id.as_str())).collect();
    events.iter().map(|event| new.remove(&(&*event.key.tenant, &*event.key.id))).collect()
}

/// Answers the keys of those that were not there.
pub(super) async fn insert_accepted(connection: &mut AsyncPgConnection, rows: Vec<&Event>) -> QueryResult<Vec<(String, String)>> {
    let rows = in_order(rows);
    let statement = InsertAccepted {
        tenant: rows.iter().map(|event| &*event.key.tenant).collect(),
        id: rows.iter().map(|event| &*event.key.id).collect(),
        event_type: rows.iter().map(|event| &*event.event_type).collect(),
        data: rows.iter().map(|event| RawJson(event.data())).collect(),
        source: rows.iter().map(|event| event.source.as_str()).collect(),
        version: rows.iter().map(|event| event.version.as_str()).collect(),
        timestamp: rows.iter().map(|event| event.timestamp).collect(),
        created_at: rows.iter().map(|event| event.accepted_at).collect(),
        traceparent: traceparents(rows.iter().copied()),
    };
    statement.load(connection).await
}

impl Postgres {
    pub(super) async fn accept_events(&self, events: &[Arc<Event>]) -> Result<Vec<bool>, BackendError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let inserted = insert_accepted(&mut connection, events.iter().map(|event| &**event).collect());
        let inserted = self.call("accept", inserted).await?;
        Ok(flags(events, &inserted))
    }

    pub(super) async fn known_events(&self, keys: &[EventKey]) -> Result<Vec<Known>, BackendError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = FindKnown { tenant: tenants(keys), id: ids(keys) };
        let found: Vec<Option<String>> = self.call("known", statement.load(&mut *connection)).await?;
        let known = |state: Option<String>| match state.as_deref() {
            None => Known::No,
            Some("routed") => Known::Routed,
            Some("set aside") => Known::SetAside,
            Some(_) => Known::Accepted,
        };
        Ok(found.into_iter().map(known).collect())
    }

    pub(super) async fn accepted_events(&self, keys: &[EventKey], max_bytes: usize) -> Result<Vec<Accepted>, BackendError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let max_bytes = i32::try_from(max_bytes).unwrap_or(i32::MAX);
        let statement = LoadAccepted { max_bytes, tenant: tenants(keys), id: ids(keys) };
        let rows: Vec<AcceptedRow> = self.call("load_accepted", statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(accepted_of).collect())
    }

    pub(super) async fn one_event(&self, key: &EventKey, max_bytes: usize) -> Result<Option<EventDetail>, BackendError> {
        let mut connection = self.pooled().await?;
        let max_bytes = i32::try_from(max_bytes).unwrap_or(i32::MAX);
        let rows: Vec<DetailRow> = self.within(LookUp { max_bytes, tenant: &key.tenant, id: &key.id }.load(&mut *connection)).await?;
        Ok(rows.into_iter().next().map(|row| detail_of(key, row)))
    }

    pub(super) async fn unrouted_events(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Vec<(EventKey, Timestamp)>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = FindUnrouted {
            before: super::in_calendar(before),
            from: from.map_or(super::FIRST_TIME, |(at, _)| super::in_calendar(*at)),
            from_tenant: from.map_or("", |(_, key)| &key.tenant),
            from_id: from.map_or("", |(_, key)| &key.id),
            max: i64::try_from(max).unwrap_or(i64::MAX),
        };
        let rows: Vec<(String, String, Timestamp)> = self.call("unrouted", statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(|(tenant, id, at)| (EventKey { tenant: intern_tenant(&tenant), id: id.into() }, at)).collect())
    }
}
