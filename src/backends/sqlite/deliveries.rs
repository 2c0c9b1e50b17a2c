//! Deliveries in the file: writing what happened to them, and finding those that wait.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text};

use crate::backends::sqlite::schema::{webhook_deliveries as d, webhook_past_attempts as past};
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{WAITING, delivery_id, limit, micros, number, time};
use crate::backends::sqlite::{events, owners, totals};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{AttemptResult, DeliveryId, DeliveryState, Status, Waiting};
use crate::model::event::Event;
use crate::ports::{Batch, Routed, Step};

/// Writes a batch. Must run in a transaction.
pub(super) fn record(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), Trouble> {
    let (now, mut new) = (clock::now(), totals::New::default());
    for routed in &batch.routed {
        if is_ours(conn, routed, now)? {
            for state in &routed.deliveries {
                if insert(conn, &routed.event, state)? {
                    new.add(&routed.event, state);
                }
            }
        }
    }
    new.write(conn)?;
    for step in &batch.steps {
        advance(conn, step)?;
    }
    for (key, reason) in &batch.set_aside {
        events::set_aside(conn, key, reason)?;
    }
    for event in &batch.told {
        events::accept(conn, event)?;
    }
    owners::record(conn, batch, now)
}

/// Whether nobody else routed the event; from now on it is routed.
fn is_ours(conn: &mut SqliteConnection, routed: &Routed, now: Timestamp) -> Result<bool, Trouble> {
    if !routed.accepted && events::insert(conn, &routed.event, Some(now))? {
        return Ok(true);
    }
    events::mark_routed(conn, &routed.event, now)
}

/// Answers whether it was new.
fn insert(conn: &mut SqliteConnection, event: &Event, state: &DeliveryState) -> Result<bool, Trouble> {
    let last = state.last.as_ref();
    let rows = diesel::insert_into(d::table)
        .values((
            d::id.eq(state.id.0.as_bytes().as_slice()),
            d::tenant.eq(&*event.key.tenant),
            d::endpoint_id.eq(state.endpoint_id),
            d::event_id.eq(&*event.key.id),
            d::event_type.eq(&*event.event_type),
            d::status.eq(state.status.as_str()),
            d::attempt_count.eq(i64::from(state.attempt_count)),
            // As expressions: a missing value must be NULL in the one statement, not another statement without the column.
            d::last_attempt_at.eq(last.map(|last| micros(last.at)).into_sql::<Nullable<BigInt>>()),
            d::response_status.eq(last.and_then(status_code).into_sql::<Nullable<BigInt>>()),
            d::response_body.eq(last.and_then(|last| last.response_body.as_deref()).into_sql::<Nullable<Text>>()),
            d::response_time.eq(last.map(|last| last.response_time).into_sql::<Nullable<Double>>()),
            d::error_message.eq(last.and_then(|last| last.error_message.as_deref()).into_sql::<Nullable<Text>>()),
            d::reason.eq(state.reason.as_deref().into_sql::<Nullable<Text>>()),
            d::next_retry_at.eq(state.next_retry_at.map(micros).into_sql::<Nullable<BigInt>>()),
            d::created_at.eq(micros(event.accepted_at)),
        ))
        // One that outlived its event's row must not spoil the commit that the others share.
        .on_conflict(d::id)
        .do_nothing()
        .execute(conn)?;
    Ok(rows == 1)
}

fn status_code(last: &AttemptResult) -> Option<i64> {
    last.response_status.map(i64::from)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn waits() -> _ {
    d::status.eq("pending").or(d::status.eq("retrying"))
}

/// Takes a step, unless somebody took another one meanwhile.
fn advance(conn: &mut SqliteConnection, step: &Step) -> Result<(), Trouble> {
    let state = &step.state;
    let id = state.id.0.as_bytes().as_slice();
    let Some(stopped) = stands(conn, id, step)? else { return Ok(()) };
    // After an attempt that was under way, what was stopped stays stopped, unless that delivered it.
    let stopped = stopped.filter(|_| state.status != Status::Delivered);
    let (status, next_retry_at) = match stopped {
        Some(_) => (Status::Failed, None),
        None => (state.status, state.next_retry_at),
    };
    let standing = (
        d::status.eq(status.as_str()),
        d::attempt_count.eq(i64::from(state.attempt_count)),
        d::reason.eq(state.reason.clone().or(stopped)),
        d::next_retry_at.eq(next_retry_at.map(micros)),
    );
    let row = d::table.filter(d::id.eq(id));
    match &state.last {
        // The outcome of the attempt before stays where it is: it is still the latest.
        None => diesel::update(row).set(standing).execute(conn)?,
        Some(last) => {
            if step.after_attempts > 0 {
                keep_past_attempt(conn, id)?;
            }
            let outcome = (
                d::last_attempt_at.eq(micros(last.at)),
                d::response_status.eq(status_code(last)),
                d::response_body.eq(last.response_body.as_deref()),
                d::response_time.eq(last.response_time),
                d::error_message.eq(last.error_message.as_deref()),
            );
            diesel::update(row).set((standing, outcome)).execute(conn)?
        }
    };
    Ok(())
}

/// Whether the delivery still stands where the step starts; inside, the reason that it was stopped with.
fn stands(conn: &mut SqliteConnection, id: &[u8], step: &Step) -> Result<Option<Option<String>>, Trouble> {
    let after = i64::from(step.after_attempts);
    let row = d::table.filter(d::id.eq(id)).filter(d::attempt_count.eq(after)).select((d::status, d::reason));
    let Some((status, reason)) = row.get_result::<(String, Option<String>)>(conn).optional()? else { return Ok(None) };
    Ok(match (status.as_str(), reason) {
        ("pending" | "retrying", _) => Some(None),
        ("failed", Some(reason)) if step.state.last.is_some() => Some(Some(reason)),
        _ => None,
    })
}

/// Moves the latest outcome out of the row that the next one is about to overwrite.
fn keep_past_attempt(conn: &mut SqliteConnection, id: &[u8]) -> Result<(), Trouble> {
    let latest = d::table.filter(d::id.eq(id)).filter(d::last_attempt_at.is_not_null()).select((
        d::id,
        d::attempt_count,
        d::last_attempt_at.assume_not_null(),
        d::response_status,
        d::response_body,
        d::response_time.assume_not_null(),
        d::error_message,
    ));
    diesel::insert_or_ignore_into(past::table)
        .values(latest)
        .into_columns((
            past::delivery_id,
            past::attempt_number,
            past::attempted_at,
            past::response_status,
            past::response_body,
            past::response_time,
            past::error_message,
        ))
        .execute(conn)?;
    Ok(())
}

/// Those that still wait, with their events. Deliveries of one event share it.
pub(super) fn load_waiting(conn: &mut SqliteConnection, ids: &[DeliveryId]) -> Result<Vec<Waiting>, Trouble> {
    let mut shared: HashMap<(String, String), Arc<Event>> = HashMap::new();
    let mut found = Vec::with_capacity(ids.len());
    for &id in ids {
        let row = d::table
            .filter(d::id.eq(id.0.as_bytes().as_slice()))
            .filter(waits())
            .select((d::tenant, d::event_id, d::endpoint_id, d::attempt_count, d::event_type, d::next_retry_at))
            .get_result::<(String, String, i64, i64, String, Option<i64>)>(conn)
            .optional()?;
        let Some((tenant, event_id, endpoint_id, attempts, event_type, due)) = row else {
            continue;
        };
        let key = (tenant, event_id);
        let event = match shared.get(&key) {
            Some(event) => Some(Arc::clone(event)),
            None => events::load(conn, &key.0, &key.1)?.map(|event| Arc::clone(shared.entry(key).or_insert(Arc::new(event)))),
        };
        found.push(Waiting {
            id,
            endpoint_id,
            attempt_count: number(attempts),
            event_type: event_type.into(),
            next_retry_at: time(due.unwrap_or_default()),
            event,
        });
    }
    Ok(found)
}

/// Waiting deliveries due before `before`, after `from`; earliest first.
pub(super) fn overdue(
    conn: &mut SqliteConnection,
    before: Timestamp,
    from: Option<(Timestamp, DeliveryId)>,
    max: usize,
) -> Result<Vec<(DeliveryId, Timestamp)>, Trouble> {
    let mut query = d::table
        .filter(sql::<Bool>(WAITING))
        .filter(d::next_retry_at.lt(micros(before)))
        .order((d::next_retry_at.asc(), d::id.asc()))
        .limit(limit(max))
        .select((d::id, d::next_retry_at.assume_not_null()))
        .into_boxed();
    if let Some((due, id)) = from {
        let due = micros(due);
        let after = d::next_retry_at.gt(due).or(d::next_retry_at.eq(due).and(d::id.gt(id.0.as_bytes().to_vec())));
        query = query.filter(d::next_retry_at.ge(due)).filter(after.assume_not_null());
    }
    let rows: Vec<(Vec<u8>, i64)> = query.load(conn)?;
    rows.into_iter().map(|(id, due)| Ok((delivery_id(&id)?, time(due)))).collect()
}
