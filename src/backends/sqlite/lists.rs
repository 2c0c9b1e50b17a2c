//! Deliveries as they are listed and shown.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite as Backend;

use crate::backends::sqlite::events;
use crate::backends::sqlite::schema::{webhook_deliveries as d, webhook_endpoints as p, webhook_past_attempts as past};
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{delivery_id, micros, number, status, time};
use crate::model::clock;
use crate::model::delivery::{AttemptResult, AttemptView, DeliveryFilter, DeliveryId, DeliveryView, Status};
use crate::model::page::Page;

/// The undelivered have an index of their own, which SQLite uses only where the query says exactly this.
const UNDELIVERED: &str = "webhook_deliveries.status IN ('pending', 'retrying', 'failed')";

#[derive(Queryable, Selectable)]
#[diesel(table_name = d, check_for_backend(Backend))]
struct Row {
    id: Vec<u8>,
    tenant: String,
    event_id: String,
    event_type: String,
    endpoint_id: i64,
    status: String,
    attempt_count: i64,
    last_attempt_at: Option<i64>,
    response_status: Option<i64>,
    response_body: Option<String>,
    response_time: Option<f64>,
    error_message: Option<String>,
    reason: Option<String>,
    next_retry_at: Option<i64>,
    created_at: i64,
}

impl Row {
    /// The latest attempt, and the delivery without it.
    fn latest(&self) -> Option<AttemptView> {
        let at = time(self.last_attempt_at?);
        let result = AttemptResult {
            at,
            response_status: self.response_status.map(number),
            response_body: self.response_body.clone(),
            response_time: self.response_time.unwrap_or_default(),
            error_message: self.error_message.clone(),
        };
        Some(AttemptView { number: number(self.attempt_count), result })
    }

    fn view(self, endpoint_name: Option<String>) -> Result<DeliveryView, Trouble> {
        let id = delivery_id(&self.id)?;
        Ok(DeliveryView {
            id,
            tenant: self.tenant,
            event_id: self.event_id,
            event_type: self.event_type,
            endpoint_id: self.endpoint_id,
            endpoint_name: endpoint_name.unwrap_or_default(),
            status: status(&self.status, id)?,
            attempt_count: number(self.attempt_count),
            last_attempt_at: self.last_attempt_at.map(time),
            response_status: self.response_status.map(number),
            response_body: self.response_body,
            response_time: self.response_time,
            error_message: self.reason.or(self.error_message),
            next_retry_at: self.next_retry_at.map(time),
            created_at: time(self.created_at),
        })
    }
}

fn bytes(id: DeliveryId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

type Condition = Box<dyn BoxableExpression<d::table, Backend, SqlType = Bool>>;

/// Every condition of the filter, most of them on the primary key.
fn conditions(conn: &mut SqliteConnection, filter: &DeliveryFilter) -> Result<Vec<Condition>, Trouble> {
    let mut all: Vec<Condition> = Vec::new();
    if let Some(tenant) = &filter.tenant {
        all.push(Box::new(d::tenant.eq(tenant.clone())));
    }
    if let Some(endpoint) = filter.endpoint_id {
        all.push(Box::new(d::endpoint_id.eq(endpoint)));
    }
    if let Some(event_id) = &filter.event_id {
        let mut any: Condition = Box::new(d::id.eq(Vec::new()));
        for (key, at) in events::acceptances(conn, filter.tenant.as_deref(), event_id)? {
            let (first, last) = DeliveryId::range_of(at, &key);
            any = Box::new(d::id.between(bytes(first), bytes(last)).or(any));
        }
        all.push(any);
        // Two events can share the bits that are in the id.
        all.push(Box::new(d::event_id.eq(event_id.clone())));
    }
    if let Some(event_type) = &filter.event_type {
        all.push(Box::new(d::event_type.eq(event_type.clone())));
    }
    if let Some(status) = filter.status {
        all.push(Box::new(d::status.eq(status.as_str())));
        if status != Status::Delivered {
            all.push(Box::new(sql::<Bool>(UNDELIVERED)));
        }
    }
    // Ids carry milliseconds: they find the neighbourhood, and created_at has the exact border.
    if let Some(since) = filter.since {
        all.push(Box::new(d::id.ge(bytes(DeliveryId::first_at(since))).and(d::created_at.ge(micros(since)))));
    }
    if let Some(until) = filter.until {
        let end = DeliveryId::first_at(clock::after(until, std::time::Duration::from_millis(1)));
        all.push(Box::new(d::id.lt(bytes(end)).and(d::created_at.lt(micros(until)))));
    }
    Ok(all)
}

/// Newest first, starting after `after`.
pub(super) fn deliveries(
    conn: &mut SqliteConnection,
    filter: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: u32,
) -> Result<Page<DeliveryView, DeliveryId>, Trouble> {
    let mut query = d::table.select(Row::as_select()).order(d::id.desc()).limit(i64::from(limit) + 1).into_boxed();
    for condition in conditions(conn, filter)? {
        query = query.filter(condition);
    }
    if let Some(after) = after {
        query = query.filter(d::id.lt(bytes(after)));
    }
    let rows = query.load(conn)?;
    let mut names = Names::default();
    let views = rows.into_iter().map(|row| with_name(conn, &mut names, row)).collect::<Result<Vec<_>, Trouble>>()?;
    Ok(Page::from_rows(views, limit, |view| view.id))
}

type Names = std::collections::HashMap<i64, Option<String>>;

fn with_name(conn: &mut SqliteConnection, names: &mut Names, row: Row) -> Result<DeliveryView, Trouble> {
    let id = row.endpoint_id;
    let name = match names.get(&id) {
        Some(name) => name.clone(),
        None => {
            let name = p::table.find(id).select(p::name).get_result::<String>(conn).optional()?;
            names.entry(id).or_insert(name).clone()
        }
    };
    row.view(name)
}

/// One delivery with its attempts, first attempt first.
pub(super) fn delivery(
    conn: &mut SqliteConnection,
    id: DeliveryId,
    tenant: Option<&str>,
) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, Trouble> {
    let row: Option<Row> = d::table.find(bytes(id)).select(Row::as_select()).get_result(conn).optional()?;
    let Some(row) = row.filter(|row| tenant.is_none_or(|tenant| tenant == row.tenant)) else {
        return Ok(None);
    };
    type Past = (i64, i64, Option<i64>, Option<String>, f64, Option<String>);
    let earlier: Vec<Past> = past::table
        .filter(past::delivery_id.eq(bytes(id)))
        .order(past::attempt_number.asc())
        .select((
            past::attempt_number,
            past::attempted_at,
            past::response_status,
            past::response_body,
            past::response_time,
            past::error_message,
        ))
        .load(conn)?;
    let earlier = earlier.into_iter().map(|(attempt, at, code, response_body, response_time, error_message)| {
        let response_status = code.map(number);
        let result = AttemptResult { at: time(at), response_status, response_body, response_time, error_message };
        AttemptView { number: number(attempt), result }
    });
    let attempts = earlier.chain(row.latest()).collect();
    Ok(Some((with_name(conn, &mut Names::default(), row)?, attempts)))
}
