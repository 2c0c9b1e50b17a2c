//! The statements that record a batch. Each takes whole columns, so that a batch is one round trip however large.
//!
//! `unnest` stands among what is selected, one for each column, for there the rows are made as they are inserted. Behind `FROM` each column is
//! first written down whole, which costs more than the insert itself. Columns of nothing but NULL are sent empty: `unnest` fills them up.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Json, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::statement::{RawJson, Traceparent, sparse, statement, traceparents};
use crate::model::delivery::{AttemptResult, DeliveryState};
use crate::model::event::{Event, EventKey};
use crate::ports::{Routed, Step};

type Texts<'a> = Vec<&'a str>;
type MaybeTexts<'a> = Vec<Option<&'a str>>;
type Times = Vec<DateTime<Utc>>;
type MaybeTimes = Vec<Option<DateTime<Utc>>>;

/// The part of a statement that inserts deliveries, up to its `FROM`, and the columns it takes them from.
macro_rules! insert_deliveries {
    ($rest:literal) => {
        concat!(
            "INSERT INTO webhook_deliveries (id, endpoint_id, created_at, next_retry_at, last_attempt_at, response_time, \
             attempt_count, response_status, status, tenant, event_id, event_type, response_body, error_message, attempt_error) \
             SELECT d.* FROM (SELECT unnest(?) AS id, unnest(?) AS endpoint_id, unnest(?) AS created_at, \
             unnest(?) AS next_retry_at, unnest(?) AS last_attempt_at, unnest(?) AS response_time, \
             unnest(?) AS attempt_count, unnest(?) AS response_status, unnest(?) AS status, unnest(?) AS tenant, \
             unnest(?) AS event_id, unnest(?) AS event_type, unnest(?) AS response_body, unnest(?) AS error_message, \
             unnest(?) AS attempt_error) AS d",
            $rest
        )
    };
}

macro_rules! insert_events {
    ($rest:literal) => {
        concat!(
            "WITH event AS (INSERT INTO webhook_events (tenant, id, event_type, data, source, version, \"timestamp\", created_at, \
             traceparent, routed_at) SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), \
             unnest(?), now()",
            $rest,
            ") "
        )
    };
}

/// Declares a statement whose last fifteen columns are deliveries.
macro_rules! delivering_statement {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $rust:ty => $sql:ty),* $(,)? } = $text:expr) => {
        statement! {
            $(#[$meta])*
            $name<'a> {
                $($field: $rust => $sql,)*
                delivery_id: Vec<Uuid> => Array<SqlUuid>,
                endpoint_id: Vec<i64> => Array<BigInt>,
                delivery_created_at: Times => Array<Timestamptz>,
                next_retry_at: MaybeTimes => Array<Nullable<Timestamptz>>,
                last_attempt_at: MaybeTimes => Array<Nullable<Timestamptz>>,
                response_time: Vec<Option<f64>> => Array<Nullable<Double>>,
                attempt_count: Vec<i32> => Array<Integer>,
                response_status: Vec<Option<i32>> => Array<Nullable<Integer>>,
                status: Texts<'a> => Array<Text>,
                delivery_tenant: Texts<'a> => Array<Text>,
                event_id: Texts<'a> => Array<Text>,
                delivery_event_type: Texts<'a> => Array<Text>,
                response_body: MaybeTexts<'a> => Array<Nullable<Text>>,
                error_message: MaybeTexts<'a> => Array<Nullable<Text>>,
                attempt_error: MaybeTexts<'a> => Array<Nullable<Text>>,
            } -> () = $text
        }

        impl<'a> $name<'a> {
            fn new(($($field,)*): ($($rust,)*), rows: &[(&'a Event, &'a DeliveryState)]) -> Self {
                Self {
                    $($field,)*
                    delivery_id: column(rows, |(_, d)| d.id.0),
                    endpoint_id: column(rows, |(_, d)| d.endpoint_id),
                    delivery_created_at: column(rows, |(e, _)| e.accepted_at),
                    next_retry_at: sparse(rows.iter().map(|(_, d)| d.next_retry_at)),
                    last_attempt_at: column(rows, |(_, d)| d.last.as_ref().map(|last| last.at)),
                    response_time: column(rows, |(_, d)| d.last.as_ref().map(|last| last.response_time)),
                    attempt_count: column(rows, |(_, d)| count(d.attempt_count)),
                    response_status: column(rows, |(_, d)| status_of(d.last.as_ref())),
                    status: column(rows, |(_, d)| d.status.as_str()),
                    delivery_tenant: column(rows, |(e, _)| &*e.key.tenant),
                    event_id: column(rows, |(e, _)| &*e.key.id),
                    delivery_event_type: column(rows, |(e, _)| &*e.event_type),
                    response_body: sparse(rows.iter().map(|(_, d)| body_of(d.last.as_ref()))),
                    error_message: sparse(rows.iter().map(|(_, d)| d.reason.as_deref().or(error_of(d)))),
                    attempt_error: sparse(rows.iter().map(|(_, d)| d.reason.as_deref().and(error_of(d)))),
                }
            }
        }
    };
}

delivering_statement! {
    /// New events with their deliveries. Fails when one is there already: looking first would cost the ordinary case.
    InsertRouted {
        tenant: Texts<'a> => Array<Text>,
        id: Texts<'a> => Array<Text>,
        event_type: Texts<'a> => Array<Text>,
        data: Vec<RawJson<'a>> => Array<Json>,
        source: Texts<'a> => Array<Text>,
        version: Texts<'a> => Array<Text>,
        timestamp: Vec<f64> => Array<Double>,
        created_at: Times => Array<Timestamptz>,
        traceparent: Vec<Option<Traceparent>> => Array<Nullable<Text>>,
    } = concat!(insert_events!(""), insert_deliveries!(""))
}

delivering_statement! {
    /// The same, leaving out events that are there, with their deliveries.
    InsertMissing {
        tenant: Texts<'a> => Array<Text>,
        id: Texts<'a> => Array<Text>,
        event_type: Texts<'a> => Array<Text>,
        data: Vec<RawJson<'a>> => Array<Json>,
        source: Texts<'a> => Array<Text>,
        version: Texts<'a> => Array<Text>,
        timestamp: Vec<f64> => Array<Double>,
        created_at: Times => Array<Timestamptz>,
        traceparent: Vec<Option<Traceparent>> => Array<Nullable<Text>>,
    } = concat!(
        insert_events!(" ON CONFLICT DO NOTHING RETURNING tenant, id"),
        insert_deliveries!(", event WHERE event.tenant = d.tenant AND event.id = d.event_id ON CONFLICT DO NOTHING")
    )
}

delivering_statement! {
    /// Accepted events that nobody has routed, with their deliveries. `created_at` follows the ids of the deliveries: it
    /// differs where the event came through another door as well, and one finds the deliveries by it.
    MarkRouted {
        tenant: Texts<'a> => Array<Text>,
        id: Texts<'a> => Array<Text>,
        created_at: Times => Array<Timestamptz>,
    } = concat!(
        "WITH event AS (UPDATE webhook_events e SET routed_at = now(), set_aside = NULL, created_at = v.created_at \
         FROM (SELECT unnest(?) AS tenant, unnest(?) AS id, unnest(?) AS created_at) AS v \
         WHERE e.tenant = v.tenant AND e.id = v.id AND e.routed_at IS NULL RETURNING e.tenant, e.id) ",
        insert_deliveries!(", event WHERE event.tenant = d.tenant AND event.id = d.event_id ON CONFLICT DO NOTHING")
    )
}

statement! {
    /// Further steps. The rows are locked in the order of their ids, so that two recorders never wait for each other; the
    /// outcome that a new one replaces moves to the past attempts. A row that was stopped takes an attempt that was
    /// under way, and stays stopped unless that delivered it. The last condition says nothing of the status: `old` locked the row as
    /// it is now, and this statement still sees it as it was. `old` has all that the update needs: a second look at what is sent would compare
    /// each step with each. Rows are looked up by their ids alone, and their status is asked for outside: where next to nothing waited when
    /// the table was analyzed, all that waits would be read for each batch.
    TakeSteps<'a> {
        id: Vec<Uuid> => Array<SqlUuid>,
        after_attempts: Vec<i32> => Array<Integer>,
        attempted: Vec<bool> => Array<Bool>,
        status: Texts<'a> => Array<Text>,
        attempt_count: Vec<i32> => Array<Integer>,
        next_retry_at: MaybeTimes => Array<Nullable<Timestamptz>>,
        at: MaybeTimes => Array<Nullable<Timestamptz>>,
        response_status: Vec<Option<i32>> => Array<Nullable<Integer>>,
        response_body: MaybeTexts<'a> => Array<Nullable<Text>>,
        response_time: Vec<Option<f64>> => Array<Nullable<Double>>,
        error: MaybeTexts<'a> => Array<Nullable<Text>>,
        reason: MaybeTexts<'a> => Array<Nullable<Text>>,
    } -> () =
        "WITH old AS (SELECT d.id, d.status, d.attempt_count, d.last_attempt_at, d.response_status, d.response_body, d.response_time, \
         CASE WHEN d.last_attempt_at IS NOT NULL THEN coalesce(d.attempt_error, d.error_message) END AS error, v.after_attempts, \
         v.attempted, v.new_status, v.new_count, v.new_retry_at, v.new_at, v.new_response_status, v.new_body, v.new_time, v.new_error, \
         coalesce(v.new_reason, CASE WHEN d.status = 'failed' AND v.new_status <> 'delivered' THEN d.error_message END) AS reason \
         FROM (SELECT * FROM (SELECT unnest(?) AS id, unnest(?) AS after_attempts, unnest(?) AS attempted, \
         unnest(?) AS new_status, unnest(?) AS new_count, unnest(?) AS new_retry_at, unnest(?) AS new_at, \
         unnest(?) AS new_response_status, unnest(?) AS new_body, unnest(?) AS new_time, unnest(?) AS new_error, \
         unnest(?) AS new_reason) AS sent ORDER BY id) AS v, \
         LATERAL (SELECT * FROM webhook_deliveries d WHERE d.id = v.id OFFSET 0 FOR UPDATE) AS d \
         WHERE d.attempt_count = v.after_attempts AND (d.status IN ('pending', 'retrying') \
         OR v.attempted AND d.status = 'failed' AND (d.attempt_error IS NOT NULL OR d.last_attempt_at IS NULL))), \
         past AS (INSERT INTO webhook_past_attempts (delivery_id, attempt_number, at, response_status, response_body, \
         response_time, error_message) SELECT id, attempt_count, last_attempt_at, response_status, response_body, \
         coalesce(response_time, 0), error FROM old \
         WHERE attempted AND attempt_count > 0 AND last_attempt_at IS NOT NULL ON CONFLICT DO NOTHING) \
         UPDATE webhook_deliveries d SET attempt_count = old.new_count, \
         status = CASE WHEN old.status = 'failed' AND old.new_status <> 'delivered' THEN 'failed' ELSE old.new_status END, \
         next_retry_at = CASE WHEN old.status <> 'failed' THEN old.new_retry_at END, \
         last_attempt_at = CASE WHEN old.attempted THEN old.new_at ELSE d.last_attempt_at END, \
         response_status = CASE WHEN old.attempted THEN old.new_response_status ELSE d.response_status END, \
         response_body = CASE WHEN old.attempted THEN old.new_body ELSE d.response_body END, \
         response_time = CASE WHEN old.attempted THEN old.new_time ELSE d.response_time END, \
         error_message = coalesce(old.reason, CASE WHEN old.attempted THEN old.new_error ELSE old.error END), \
         attempt_error = CASE WHEN old.reason IS NULL THEN NULL WHEN old.attempted THEN old.new_error ELSE old.error END \
         FROM old WHERE d.id = old.id AND d.attempt_count = old.after_attempts"
}

statement! {
    SetAside<'a> {
        tenant: Texts<'a> => Array<Text>,
        id: Texts<'a> => Array<Text>,
        reason: Texts<'a> => Array<Text>,
    } -> () =
        "UPDATE webhook_events e SET set_aside = v.reason FROM unnest(?, ?, ?) AS v (tenant, id, reason) \
         WHERE e.tenant = v.tenant AND e.id = v.id AND e.routed_at IS NULL"
}

fn column<R: Copy, T>(rows: &[R], of: impl Fn(R) -> T) -> Vec<T> {
    rows.iter().map(|row| of(*row)).collect()
}

fn count(attempts: u32) -> i32 {
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

fn status_of(last: Option<&AttemptResult>) -> Option<i32> {
    last.and_then(|last| last.response_status).map(i32::from)
}

fn body_of(last: Option<&AttemptResult>) -> Option<&str> {
    last.and_then(|last| last.response_body.as_deref())
}

fn error_of(state: &DeliveryState) -> Option<&str> {
    state.last.as_ref().and_then(|last| last.error_message.as_deref())
}

fn deliveries_of<'a>(routed: &[&'a Routed]) -> Vec<(&'a Event, &'a DeliveryState)> {
    let mut rows: Vec<_> = routed.iter().flat_map(|routed| routed.deliveries.iter().map(|delivery| (&*routed.event, delivery))).collect();
    // Neighbours in the index go in one after the other.
    rows.sort_unstable_by_key(|(_, delivery)| delivery.id);
    rows
}

macro_rules! insert_events_with {
    ($name:ident, $connection:ident, $routed:ident) => {
        $name::new(
            (
                column($routed, |r| &*r.event.key.tenant),
                column($routed, |r| &*r.event.key.id),
                column($routed, |r| &*r.event.event_type),
                column($routed, |r| RawJson(r.event.data())),
                column($routed, |r| r.event.source.as_str()),
                column($routed, |r| r.event.version.as_str()),
                column($routed, |r| r.event.timestamp),
                column($routed, |r| r.event.accepted_at),
                traceparents($routed.iter().map(|r| &*r.event)),
            ),
            &deliveries_of($routed),
        )
        .execute($connection)
        .await
        .map(drop)
    };
}

pub(super) async fn insert_routed(connection: &mut AsyncPgConnection, routed: &[&Routed]) -> QueryResult<()> {
    insert_events_with!(InsertRouted, connection, routed)
}

pub(super) async fn insert_missing(connection: &mut AsyncPgConnection, routed: &[&Routed]) -> QueryResult<()> {
    insert_events_with!(InsertMissing, connection, routed)
}

pub(super) async fn mark_routed(connection: &mut AsyncPgConnection, routed: &[&Routed]) -> QueryResult<()> {
    MarkRouted::new(
        (column(routed, |r| &*r.event.key.tenant), column(routed, |r| &*r.event.key.id), column(routed, |r| r.event.accepted_at)),
        &deliveries_of(routed),
    )
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn take_steps(connection: &mut AsyncPgConnection, steps: &[&Step]) -> QueryResult<()> {
    let statement = TakeSteps {
        id: column(steps, |s| s.state.id.0),
        after_attempts: column(steps, |s| count(s.after_attempts)),
        attempted: column(steps, |s| s.state.last.is_some()),
        status: column(steps, |s| s.state.status.as_str()),
        attempt_count: column(steps, |s| count(s.state.attempt_count)),
        next_retry_at: column(steps, |s| s.state.next_retry_at),
        at: column(steps, |s| s.state.last.as_ref().map(|last| last.at)),
        response_status: column(steps, |s| status_of(s.state.last.as_ref())),
        response_body: column(steps, |s| body_of(s.state.last.as_ref())),
        response_time: column(steps, |s| s.state.last.as_ref().map(|last| last.response_time)),
        error: column(steps, |s| error_of(&s.state)),
        reason: column(steps, |s| s.state.reason.as_deref()),
    };
    statement.execute(connection).await.map(drop)
}

pub(super) async fn set_aside(connection: &mut AsyncPgConnection, events: &[(EventKey, String)]) -> QueryResult<()> {
    let statement = SetAside {
        tenant: events.iter().map(|(key, _)| &*key.tenant).collect(),
        id: events.iter().map(|(key, _)| &*key.id).collect(),
        reason: events.iter().map(|(_, reason)| reason.as_str()).collect(),
    };
    statement.execute(connection).await.map(drop)
}
