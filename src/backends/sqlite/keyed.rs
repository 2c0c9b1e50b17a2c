//! Requests with an `Idempotency-Key`, remembered in the transaction that makes their events durable. The one writer takes them in turn:
//! whoever comes second is answered as the first was, in the same commit or a later one.

use std::sync::Arc;

use diesel::prelude::*;

use crate::backends::sqlite::events;
use crate::backends::sqlite::schema::webhook_idempotency_keys as k;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{limit, micros};
use crate::model::clock::Timestamp;
use crate::model::event::Event;
use crate::model::keyed::{KeyedRequest, Taken};

/// Must run in a transaction.
pub(super) fn accept(conn: &mut SqliteConnection, request: &KeyedRequest, events: &[Arc<Event>]) -> Result<Taken, Trouble> {
    let known = k::table.find(&request.key[..]).filter(k::created_at.ge(micros(request.since))).select((k::body, k::ids));
    if let Some((body, ids)) = known.get_result::<(Vec<u8>, String)>(conn).optional()? {
        if body != request.body {
            return Ok(Taken::OtherBody);
        }
        let ids = serde_json::from_str(&ids).map_err(|error| Trouble::odd("webhook_idempotency_keys", "of this key", error))?;
        return Ok(Taken::Before(ids));
    }
    let ids = serde_json::to_string(&request.ids).map_err(|error| Trouble::Refused(error.to_string()))?;
    // One that is there is forgotten.
    diesel::replace_into(k::table)
        .values((k::key.eq(&request.key[..]), k::body.eq(&request.body[..]), k::ids.eq(ids), k::created_at.eq(micros(request.at))))
        .execute(conn)?;
    events.iter().map(|event| events::accept(conn, event)).collect::<Result<_, _>>().map(Taken::Now)
}

/// Must run in a transaction.
pub(super) fn forget(conn: &mut SqliteConnection, before: Timestamp, max: usize) -> Result<u64, Trouble> {
    let old = k::table.filter(k::created_at.lt(micros(before))).order(k::created_at.asc()).limit(limit(max));
    let keys: Vec<Vec<u8>> = old.select(k::key).load(conn)?;
    Ok(diesel::delete(k::table.filter(k::key.eq_any(keys))).execute(conn)? as u64)
}
