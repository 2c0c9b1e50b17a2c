//! Whole endpoints' deliveries at once: stopped when nobody may send them, and put back.

use async_trait::async_trait;
use diesel::dsl::{count_star, exists, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite as Backend;

use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::schema::{webhook_deliveries as d, webhook_endpoints as p, webhook_events as e};
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{WAITING, delivery_id, limit, micros};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{DeliveryId, Status};
use crate::ports::{BackendError, StoppedDelivery, Stopping, Window};

/// As the partial index has it: SQLite uses it only where the query says exactly this.
const FAILED: &str = "webhook_deliveries.status = 'failed'";

#[async_trait]
impl Stopping for Sqlite {
    async fn waited_for(&self, from: Option<i64>, max: usize) -> Result<Vec<i64>, BackendError> {
        self.readers.run(move |conn| waited_for(conn, from, max)).await
    }

    async fn stop_waiting(
        &self,
        endpoints: &[(i64, String)],
        except: &[DeliveryId],
        max: usize,
    ) -> Result<Vec<StoppedDelivery>, BackendError> {
        let (endpoints, except) = (endpoints.to_vec(), except.iter().copied().collect());
        self.writer.run(move |conn| stop_waiting(conn, &endpoints, &except, max)).await
    }

    async fn failed(&self, endpoint: i64, window: Window, from: Option<DeliveryId>, max: usize) -> Result<Vec<DeliveryId>, BackendError> {
        self.readers.run(move |conn| failed(conn, endpoint, window, from, max)).await
    }

    async fn put_back(&self, ids: &[DeliveryId], due: Timestamp) -> Result<Vec<DeliveryId>, BackendError> {
        let ids = ids.to_vec();
        let put_back = move |conn: &mut _| {
            let mut back = Vec::with_capacity(ids.len());
            for id in ids {
                if put_back(conn, id, due)? {
                    back.push(id);
                }
            }
            Ok(back)
        };
        self.writer.run(put_back).await
    }
}

/// Hops from endpoint to endpoint in the index: however much waits for one, it costs one look.
fn waited_for(conn: &mut SqliteConnection, from: Option<i64>, max: usize) -> Result<Vec<i64>, Trouble> {
    let mut found: Vec<i64> = Vec::new();
    let mut after = from.unwrap_or(i64::MIN);
    while found.len() < max {
        let next = d::table.filter(sql::<Bool>(WAITING)).filter(d::endpoint_id.gt(after)).select(min(d::endpoint_id));
        let Some(endpoint) = next.first::<Option<i64>>(conn)? else { break };
        found.push(endpoint);
        after = endpoint;
    }
    Ok(found)
}

fn stop_waiting(
    conn: &mut SqliteConnection,
    endpoints: &[(i64, String)],
    except: &std::collections::HashSet<DeliveryId>,
    max: usize,
) -> Result<Vec<StoppedDelivery>, Trouble> {
    let mut stopped = Vec::new();
    for (endpoint, reason) in endpoints {
        let active = p::table.filter(p::id.eq(endpoint)).filter(p::is_active).filter(p::deleted_at.is_null());
        if stopped.len() >= max || diesel::select(exists(active)).get_result(conn)? {
            continue;
        }
        let rows: Vec<(Vec<u8>, String)> = d::table
            .filter(sql::<Bool>(WAITING))
            .filter(d::endpoint_id.eq(endpoint))
            .order(d::id.asc())
            .limit(limit(max - stopped.len() + except.len()))
            .select((d::id, d::event_type))
            .load(conn)?;
        for (bytes, event_type) in rows {
            let id = delivery_id(&bytes)?;
            if stopped.len() < max && !except.contains(&id) {
                let failed = (d::status.eq(Status::Failed.as_str()), d::reason.eq(reason), d::next_retry_at.eq(None::<i64>));
                diesel::update(d::table.filter(d::id.eq(bytes))).set(failed).execute(conn)?;
                stopped.push(StoppedDelivery { id, event_type: event_type.into() });
            }
        }
    }
    Ok(stopped)
}

type Failed = d::BoxedQuery<'static, Backend, diesel::sql_types::Binary>;

/// The ids of the endpoint's failed deliveries within the window.
fn failed_of(endpoint: i64, window: Window) -> Failed {
    let mut query = d::table.select(d::id).filter(sql::<Bool>(FAILED)).filter(d::endpoint_id.eq(endpoint)).into_boxed();
    // Ids carry milliseconds: they find the neighbourhood, and created_at has the exact border.
    if let Some(since) = window.since {
        query = query.filter(d::id.ge(bytes(DeliveryId::first_at(since)))).filter(d::created_at.ge(micros(since)));
    }
    if let Some(until) = window.until {
        let end = DeliveryId::first_at(clock::after(until, std::time::Duration::from_millis(1)));
        query = query.filter(d::id.lt(bytes(end))).filter(d::created_at.lt(micros(until)));
    }
    query
}

fn bytes(id: DeliveryId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

pub(super) fn failed(
    conn: &mut SqliteConnection,
    endpoint: i64,
    window: Window,
    from: Option<DeliveryId>,
    max: usize,
) -> Result<Vec<DeliveryId>, Trouble> {
    let mut query = failed_of(endpoint, window).order(d::id.asc()).limit(limit(max));
    if let Some(from) = from {
        query = query.filter(d::id.gt(bytes(from)));
    }
    let rows: Vec<Vec<u8>> = query.load(conn)?;
    rows.iter().map(|id| delivery_id(id)).collect()
}

pub(super) fn count_failed(conn: &mut SqliteConnection, endpoint: i64, window: Window) -> Result<i64, Trouble> {
    Ok(failed_of(endpoint, window).select(count_star()).get_result(conn)?)
}

pub(super) fn put_back(conn: &mut SqliteConnection, id: DeliveryId, due: Timestamp) -> Result<bool, Trouble> {
    let id = id.0.as_bytes().as_slice();
    let row = d::table.filter(d::id.eq(id)).filter(d::status.eq(Status::Failed.as_str()));
    let found = row.select((d::tenant, d::event_id, d::attempt_count)).get_result::<(String, String, i64)>(conn).optional()?;
    let Some((tenant, event_id, attempts)) = found else { return Ok(false) };
    let event = e::table.filter(e::id.eq(event_id)).filter(e::tenant.eq(tenant));
    if !diesel::select(exists(event)).get_result(conn)? {
        return Ok(false);
    }
    let status = if attempts == 0 { Status::Pending } else { Status::Retrying };
    let waits = (d::status.eq(status.as_str()), d::reason.eq(None::<String>), d::next_retry_at.eq(micros(due)));
    diesel::update(d::table.filter(d::id.eq(id))).set(waits).execute(conn)?;
    Ok(true)
}
