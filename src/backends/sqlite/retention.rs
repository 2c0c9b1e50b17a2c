//! Removes what is over and old, page by page: the one thread that writes is everybody's.

use diesel::prelude::*;

use crate::backends::sqlite::schema::{webhook_deliveries as d, webhook_events as e, webhook_past_attempts as past};
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{delivery_id, limit, micros, time};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::{EventKey, intern_tenant};
use crate::ports::Forgotten;

/// Rows of one page at most: a few milliseconds.
const PAGE: usize = 200;

type OldDelivery = (Vec<u8>, String, Option<i64>, i64);

/// Must run in a transaction.
pub(super) fn forget_deliveries(
    conn: &mut SqliteConnection,
    before: Timestamp,
    from: Option<DeliveryId>,
    max: usize,
) -> Result<Forgotten<DeliveryId>, Trouble> {
    let max = max.min(PAGE);
    let page: Vec<OldDelivery> = d::table
        .filter(d::id.gt(from.map_or_else(Vec::new, bytes)))
        .filter(d::id.lt(bytes(DeliveryId::first_at(before))))
        .order(d::id.asc())
        .limit(limit(max))
        .select((d::id, d::status, d::last_attempt_at, d::created_at))
        .load(conn)?;
    let mut removed = 0;
    for (id, status, last_attempt_at, created_at) in &page {
        let ended = status == "delivered" || status == "failed";
        if ended && last_attempt_at.unwrap_or(*created_at) < micros(before) {
            diesel::delete(past::table.filter(past::delivery_id.eq(id))).execute(conn)?;
            diesel::delete(d::table.filter(d::id.eq(id))).execute(conn)?;
            removed += 1;
        }
    }
    let last = page.last().filter(|_| page.len() == max);
    Ok(Forgotten { removed, next: last.map(|(id, ..)| delivery_id(id)).transpose()? })
}

type OldEvent = (i64, String, String, i64, Option<i64>);

/// Must run in a transaction.
pub(super) fn forget_events(
    conn: &mut SqliteConnection,
    before: Timestamp,
    from: Option<&(Timestamp, EventKey)>,
    max: usize,
) -> Result<Forgotten<(Timestamp, EventKey)>, Trouble> {
    let max = max.min(PAGE);
    let mut query = e::table
        .filter(e::created_at.lt(micros(before)))
        .order((e::created_at.asc(), e::tenant.asc(), e::id.asc()))
        .limit(limit(max))
        .select((e::seq, e::tenant, e::id, e::created_at, e::routed_at))
        .into_boxed();
    if let Some((at, key)) = from {
        let (at, tenant, id) = (micros(*at), &*key.tenant, &*key.id);
        let same_time = e::tenant.gt(tenant).or(e::tenant.eq(tenant).and(e::id.gt(id)));
        // The first bound is the one that the index can start from.
        query = query.filter(e::created_at.ge(at)).filter(e::created_at.gt(at).or(same_time));
    }
    let page: Vec<OldEvent> = query.load(conn)?;
    let full = page.len() == max;
    let (mut removed, mut last) = (0, None);
    for (seq, tenant, id, created_at, routed_at) in page {
        let key = EventKey { tenant: intern_tenant(&tenant), id: id.into() };
        if routed_at.is_some() && !has_deliveries(conn, time(created_at), &key)? {
            diesel::delete(e::table.filter(e::seq.eq(seq))).execute(conn)?;
            removed += 1;
        }
        last = Some((time(created_at), key));
    }
    Ok(Forgotten { removed, next: last.filter(|_| full) })
}

fn has_deliveries(conn: &mut SqliteConnection, accepted_at: Timestamp, key: &EventKey) -> Result<bool, Trouble> {
    let (first, last) = DeliveryId::range_of(accepted_at, key);
    let own = d::table.filter(d::id.between(bytes(first), bytes(last))).select(d::endpoint_id);
    Ok(own.first::<i64>(conn).optional()?.is_some())
}

fn bytes(id: DeliveryId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}
