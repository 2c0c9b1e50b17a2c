//! Endpoints that fail, recover and are disabled, and the events that tell of it.

use diesel::prelude::*;

use crate::backends::sqlite::events;
use crate::backends::sqlite::schema::webhook_endpoints as p;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::micros;
use crate::model::clock::Timestamp;
use crate::ports::{Batch, Disabling, Recovery};

/// Writes that part of a batch. Must run in its transaction.
pub(super) fn record(conn: &mut SqliteConnection, batch: &Batch, now: Timestamp) -> Result<(), Trouble> {
    for recovery in &batch.recovered {
        if recover(conn, recovery)?
            && let Some(event) = &recovery.event
        {
            events::accept(conn, event)?;
        }
    }
    for (id, since) in &batch.failing {
        let unknown = p::table.filter(p::id.eq(id)).filter(p::is_active).filter(p::failing_since.is_null());
        diesel::update(unknown).set(p::failing_since.eq(micros(*since))).execute(conn)?;
    }
    for disabling in &batch.disabled {
        if disable(conn, disabling, now)?
            && let Some(event) = &disabling.event
        {
            events::accept(conn, event)?;
        }
    }
    Ok(())
}

/// Answers whether it had failed, or was disabled before.
fn recover(conn: &mut SqliteConnection, recovery: &Recovery) -> Result<bool, Trouble> {
    let failed = p::failing_since.le(micros(recovery.at)).assume_not_null();
    let known = p::failing_since.is_not_null().and(failed).or(p::failing_since.is_null().and(p::recovering));
    let endpoint = p::table.filter(p::id.eq(recovery.endpoint_id)).filter(p::is_active).filter(known);
    Ok(diesel::update(endpoint).set((p::failing_since.eq(None::<i64>), p::recovering.eq(false))).execute(conn)? == 1)
}

/// Answers whether it was active until now.
fn disable(conn: &mut SqliteConnection, disabling: &Disabling, now: Timestamp) -> Result<bool, Trouble> {
    let mut active = diesel::update(p::table.filter(p::id.eq(disabling.endpoint_id)).filter(p::is_active).filter(p::deleted_at.is_null()))
        .set((p::is_active.eq(false), p::disabled_reason.eq(&disabling.reason), p::updated_at.eq(micros(now))))
        .into_boxed();
    if let Some(since) = disabling.failing_since {
        active = active.filter(p::failing_since.eq(micros(since)));
    }
    Ok(active.execute(conn)? == 1)
}
