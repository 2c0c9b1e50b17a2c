//! Deliveries as they are listed and shown.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::errors::refused;
use super::schema::{webhook_deliveries, webhook_endpoints, webhook_past_attempts};
use super::statement::statement;
use super::{Postgres, lists};
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptResult, AttemptView, DeliveryFilter, DeliveryId, DeliveryView};
use crate::model::event::EventKey;
use crate::model::page::Page;
use crate::ports::BackendError;

statement! {
    /// When an event of that id was accepted, by tenant. Hops from tenant to tenant in the primary key: an id alone is no prefix of it.
    FindAcceptance<'a> {
        id: &'a str => Text,
    } -> (Text, Timestamptz) =
        "WITH RECURSIVE tenants AS ((SELECT tenant FROM webhook_events ORDER BY tenant LIMIT 1) UNION ALL \
         SELECT (SELECT e.tenant FROM webhook_events e WHERE e.tenant > t.tenant ORDER BY e.tenant LIMIT 1) \
         FROM tenants t WHERE t.tenant IS NOT NULL) \
         SELECT e.tenant, e.created_at FROM tenants t, \
         LATERAL (SELECT * FROM webhook_events e WHERE e.tenant = t.tenant AND e.id = ? OFFSET 0) AS e"
}

statement! {
    AcceptanceOf<'a> {
        tenant: &'a str => Text,
        id: &'a str => Text,
    } -> (Text, Timestamptz) = "SELECT tenant, created_at FROM webhook_events WHERE tenant = ? AND id = ?"
}

/// A row as lists read it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    endpoint_id: i64,
    created_at: Timestamp,
    next_retry_at: Option<Timestamp>,
    last_attempt_at: Option<Timestamp>,
    response_time: Option<f64>,
    attempt_count: i32,
    response_status: Option<i32>,
    status: String,
    tenant: String,
    event_id: String,
    event_type: String,
    response_body: Option<String>,
    error_message: Option<String>,
    attempt_error: Option<String>,
}

/// A past attempt: number, time, status, body, response time, error.
type AttemptRow = (i32, Timestamp, Option<i32>, Option<String>, f64, Option<String>);

fn attempt_of((number, at, status, response_body, response_time, error_message): AttemptRow) -> AttemptView {
    let result = AttemptResult { at, response_status: small(status), response_body, response_time, error_message };
    AttemptView { number: u32::try_from(number).unwrap_or(0), result }
}

fn small(status: Option<i32>) -> Option<u16> {
    status.and_then(|status| u16::try_from(status).ok())
}

impl Row {
    fn last_attempt(&self) -> Option<AttemptView> {
        let at = self.last_attempt_at?;
        let time = self.response_time.unwrap_or(0.0);
        let error = self.attempt_error.clone().or_else(|| self.error_message.clone());
        let attempt = (self.attempt_count, at, self.response_status, self.response_body.clone(), time, error);
        (self.attempt_count > 0).then(|| attempt_of(attempt))
    }

    fn into_view(self, names: &HashMap<i64, String>) -> Result<DeliveryView, BackendError> {
        Ok(DeliveryView {
            id: DeliveryId(self.id),
            status: self.status.parse().map_err(|problem: String| refused(format!("status of delivery {}: {problem}", self.id)))?,
            endpoint_name: names.get(&self.endpoint_id).cloned().unwrap_or_default(),
            endpoint_id: self.endpoint_id,
            attempt_count: u32::try_from(self.attempt_count).unwrap_or(0),
            response_status: small(self.response_status),
            tenant: self.tenant,
            event_id: self.event_id,
            event_type: self.event_type,
            last_attempt_at: self.last_attempt_at,
            response_body: self.response_body,
            response_time: self.response_time,
            error_message: self.error_message,
            next_retry_at: self.next_retry_at,
            created_at: self.created_at,
        })
    }
}

async fn names_of(connection: &mut AsyncPgConnection, rows: &[Row]) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<_> = rows.iter().map(|row| row.endpoint_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let names: Vec<(i64, String)> = webhook_endpoints::table
        .filter(webhook_endpoints::id.eq_any(ids))
        .select((webhook_endpoints::id, webhook_endpoints::name))
        .load(connection)
        .await?;
    Ok(names.into_iter().collect())
}

impl Postgres {
    pub(super) async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError> {
        let mut connection = self.pooled().await?;
        let page = self.within(async {
            lists::begin(&mut connection).await?;
            let outcome = page_of(&mut connection, filter, after, limit).await;
            lists::end(&mut connection, outcome).await
        });
        let (rows, names, next) = page.await?;
        let items = rows.into_iter().map(|row| row.into_view(&names)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: next.map(DeliveryId) })
    }

    pub(super) async fn one_delivery(
        &self,
        id: DeliveryId,
        tenant: Option<&str>,
    ) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError> {
        let mut connection = self.pooled().await?;
        let query = webhook_deliveries::table.filter(webhook_deliveries::id.eq(id.0)).select(Row::as_select());
        let row: Option<Row> = self.within(async { query.first(&mut *connection).await.optional() }).await?;
        let Some(row) = row.filter(|row| tenant.is_none_or(|tenant| tenant == row.tenant)) else {
            return Ok(None);
        };
        let past = webhook_past_attempts::table
            .filter(webhook_past_attempts::delivery_id.eq(id.0))
            .order(webhook_past_attempts::attempt_number)
            .select((
                webhook_past_attempts::attempt_number,
                webhook_past_attempts::at,
                webhook_past_attempts::response_status,
                webhook_past_attempts::response_body,
                webhook_past_attempts::response_time,
                webhook_past_attempts::error_message,
            ));
        let past: Vec<AttemptRow> = self.within(past.load(&mut *connection)).await?;
        let names = self.within(names_of(&mut connection, std::slice::from_ref(&row))).await?;
        let last = row.last_attempt();
        // Between the two queries the last attempt may have become a past one.
        let before = |past: &AttemptRow| last.as_ref().is_none_or(|last| u32::try_from(past.0).is_ok_and(|number| number < last.number));
        let attempts = past.into_iter().filter(before).map(attempt_of).chain(last.clone()).collect();
        Ok(Some((row.into_view(&names)?, attempts)))
    }
}

/// Where the deliveries of the events with that id lie in the primary key.
async fn ranges_of(connection: &mut AsyncPgConnection, id: &str, tenant: Option<&str>) -> QueryResult<Vec<(Uuid, Uuid)>> {
    let found: Vec<(String, Timestamp)> = match tenant {
        Some(tenant) => AcceptanceOf { tenant, id }.load(connection).await?,
        None => FindAcceptance { id }.load(connection).await?,
    };
    let ranges = found.into_iter().map(|(tenant, at)| {
        let (first, last) = DeliveryId::range_of(at, &EventKey { tenant: tenant.into(), id: id.into() });
        (first.0, last.0)
    });
    Ok(ranges.collect())
}

/// The rows of a page, the names of their endpoints, and after which id the next page starts.
type Rows = (Vec<Row>, HashMap<i64, String>, Option<Uuid>);

async fn page_of(connection: &mut AsyncPgConnection, filter: &DeliveryFilter, after: Option<DeliveryId>, limit: u32) -> QueryResult<Rows> {
    if is_of_another_tenant(connection, filter).await? {
        return Ok(Rows::default());
    }
    let (ids, next) = match &filter.event_id {
        Some(event_id) => {
            let ranges = ranges_of(connection, event_id, filter.tenant.as_deref()).await?;
            lists::page_of_event(connection, (filter, event_id), &ranges, after, limit).await?
        }
        None => lists::page(connection, filter, after, limit).await?,
    };
    let wanted = webhook_deliveries::table.filter(webhook_deliveries::id.eq_any(ids)).select(Row::as_select());
    let mut rows: Vec<Row> = wanted.load(connection).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    let names = names_of(connection, &rows).await?;
    Ok((rows, names, next))
}

/// Whether the filter names an endpoint of a tenant that it does not name: then nothing matches, and looking through all
/// that the endpoint got would say that it exists.
async fn is_of_another_tenant(connection: &mut AsyncPgConnection, filter: &DeliveryFilter) -> QueryResult<bool> {
    let (Some(tenant), Some(endpoint)) = (&filter.tenant, filter.endpoint_id) else { return Ok(false) };
    let owner = webhook_endpoints::table.filter(webhook_endpoints::id.eq(endpoint)).select(webhook_endpoints::tenant);
    let owner: Option<String> = owner.first(connection).await.optional()?;
    Ok(owner.is_some_and(|owner| owner != *tenant))
}
