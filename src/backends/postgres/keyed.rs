//! Requests with an `Idempotency-Key`, remembered in the statement that makes their events durable.

use std::sync::Arc;

use diesel::sql_types::{Array, BigInt, Binary, Bool, Double, Integer, Json, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::events::{flags, in_order, insert_accepted_sql};
use super::statement::{RawJson, Traceparent, statement, traceparents};
use super::{Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::event::Event;
use crate::model::keyed::{KeyedRequest, Taken};
use crate::ports::BackendError;

statement! {
    FindKeyed<'a> {
        key: &'a [u8] => Binary,
        since: Timestamp => Timestamptz,
    } -> (Binary, Array<Text>) = "SELECT body, ids FROM webhook_idempotency_keys WHERE key = ? AND created_at >= ?"
}

statement! {
    /// Whoever gets the lock has the request until this commits; nobody waits for it. What committed between the look before and the lock
    /// is a conflict, which writes nothing and is seen by the next look. One row at least: the lock, whether the request is ours, and a new event.
    AcceptKeyed<'a> {
        lock: i64 => BigInt,
        key: &'a [u8] => Binary,
        body: &'a [u8] => Binary,
        ids: Vec<&'a str> => Array<Text>,
        at: Timestamp => Timestamptz,
        since: Timestamp => Timestamptz,
        tenant: Vec<&'a str> => Array<Text>,
        id: Vec<&'a str> => Array<Text>,
        event_type: Vec<&'a str> => Array<Text>,
        data: Vec<RawJson<'a>> => Array<Json>,
        source: Vec<&'a str> => Array<Text>,
        version: Vec<&'a str> => Array<Text>,
        timestamp: Vec<f64> => Array<Double>,
        created_at: Vec<Timestamp> => Array<Timestamptz>,
        traceparent: Vec<Option<Traceparent>> => Array<Nullable<Text>>,
    } -> (Bool, Bool, Nullable<Text>, Nullable<Text>) = concat!(
        "WITH lock AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(?) AS got), \
         ours AS (INSERT INTO webhook_idempotency_keys AS k (key, body, ids, created_at) SELECT ?, ?, ?, ? FROM lock WHERE lock.got \
         ON CONFLICT (key) DO UPDATE SET body = EXCLUDED.body, ids = EXCLUDED.ids, created_at = EXCLUDED.created_at \
         WHERE k.created_at < ? RETURNING true AS yes), events AS (",
        insert_accepted_sql!(", ours"),
        ") SELECT lock.got, ours.yes IS NOT NULL, events.tenant, events.id FROM lock LEFT JOIN ours ON true LEFT JOIN events ON true"
    )
}

statement! {
    ForgetKeyed {
        before: Timestamp => Timestamptz,
        max: i64 => BigInt,
    } -> Integer =
        "DELETE FROM webhook_idempotency_keys WHERE key = ANY (ARRAY(SELECT key FROM webhook_idempotency_keys WHERE created_at < ? \
         ORDER BY created_at LIMIT ? FOR UPDATE SKIP LOCKED)) RETURNING 1"
}

/// Whether the lock was had, whether the request is ours, and the tenant and id of a new event.
type Row = (bool, bool, Option<String>, Option<String>);

impl<'a> AcceptKeyed<'a> {
    fn new(request: &'a KeyedRequest, rows: &[&'a Event]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = request.key;
        Self {
            lock: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            key: &request.key,
            body: &request.body,
            ids: request.ids.iter().map(|id| &**id).collect(),
            at: in_calendar(request.at),
            since: in_calendar(request.since),
            tenant: rows.iter().map(|event| &*event.key.tenant).collect(),
            id: rows.iter().map(|event| &*event.key.id).collect(),
            event_type: rows.iter().map(|event| &*event.event_type).collect(),
            data: rows.iter().map(|event| RawJson(event.data())).collect(),
            source: rows.iter().map(|event| event.source.as_str()).collect(),
            version: rows.iter().map(|event| event.version.as_str()).collect(),
            timestamp: rows.iter().map(|event| event.timestamp).collect(),
            created_at: rows.iter().map(|event| event.accepted_at).collect(),
            traceparent: traceparents(rows.iter().copied()),
        }
    }
}

impl Postgres {
    pub(super) async fn accept_keyed_events(&self, request: &KeyedRequest, events: &[Arc<Event>]) -> Result<Taken, BackendError> {
        let mut connection = self.pooled().await?;
        loop {
            let find = FindKeyed { key: &request.key, since: in_calendar(request.since) };
            let found: Vec<(Vec<u8>, Vec<String>)> = self.within(find.load(&mut *connection)).await?;
            if let Some((body, ids)) = found.into_iter().next() {
                let same = body == request.body;
                return Ok(if same { Taken::Before(ids.into_iter().map(Arc::from).collect()) } else { Taken::OtherBody });
            }
            let accept = AcceptKeyed::new(request, &in_order(events.iter().map(|event| &**event).collect()));
            let rows: Vec<Row> = self.within(accept.load(&mut *connection)).await?;
            if !rows.iter().any(|(locked, ..)| *locked) {
                return Ok(Taken::Running);
            }
            if rows.iter().any(|(_, ours, ..)| *ours) {
                let new = rows.into_iter().filter_map(|(_, _, tenant, id)| Some((tenant?, id?))).collect::<Vec<_>>();
                return Ok(Taken::Now(flags(events, &new)));
            }
        }
    }

    pub(super) async fn forget_old_keyed(&self, before: Timestamp, max: usize) -> Result<u64, BackendError> {
        let statement = ForgetKeyed { before: in_calendar(before), max: i64::try_from(max).unwrap_or(i64::MAX) };
        let mut connection = self.pooled().await?;
        let gone: Vec<i32> = self.within(statement.load(&mut *connection)).await?;
        Ok(gone.len() as u64)
    }
}
