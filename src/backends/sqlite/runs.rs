//! Runs in the file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Nullable, Text};
use diesel::sqlite::Sqlite as Backend;
use uuid::Uuid;

use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::schema::webhook_deliveries as d;
use crate::backends::sqlite::stopping;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{WAITING, delivery_id, limit, micros, number, time};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::page::Page;
use crate::model::run::{Run, RunId, RunStatus};
use crate::ports::{Advance, BackendError, Pace, RetriedPage, Runs, Started, Window};

diesel::table! {
    webhook_runs (id) {
        id -> Binary,
        kind -> Text,
        tenant -> Nullable<Text>,
        endpoint_id -> Nullable<BigInt>,
        since -> Nullable<BigInt>,
        until -> Nullable<BigInt>,
        status -> Text,
        done -> BigInt,
        refused -> BigInt,
        total -> Nullable<BigInt>,
        position -> Nullable<Text>,
        mark -> Nullable<Binary>,
        created_at -> BigInt,
        updated_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
        next_at -> BigInt,
        holder -> Nullable<Binary>,
        lease_until -> Nullable<BigInt>,
    }
}

use webhook_runs as r;

/// More than this is not counted.
const COUNTED: i64 = 2_000_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_runs, check_for_backend(Backend))]
struct Row {
    id: Vec<u8>,
    kind: String,
    tenant: Option<String>,
    endpoint_id: Option<i64>,
    since: Option<i64>,
    until: Option<i64>,
    status: String,
    done: i64,
    refused: i64,
    total: Option<i64>,
    position: Option<String>,
    mark: Option<Vec<u8>>,
    created_at: i64,
    updated_at: i64,
    finished_at: Option<i64>,
    error: Option<String>,
}

fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// The run while it runs and its page is the holder's.
macro_rules! held {
    ($id:expr, $holder:expr) => {
        r::table.filter(r::id.eq(bytes($id.0))).filter(r::holder.eq(bytes($holder))).filter(r::status.eq(RunStatus::Running.as_str()))
    };
}

impl Row {
    fn run(self) -> Result<Run, Trouble> {
        let odd = |why: String| Trouble::odd("webhook_runs", "of this id", why);
        Ok(Run {
            id: RunId(Uuid::from_slice(&self.id).map_err(|error| odd(error.to_string()))?),
            kind: self.kind.parse().map_err(odd)?,
            tenant: self.tenant.map(Arc::from),
            endpoint_id: self.endpoint_id,
            since: self.since.map(time),
            until: self.until.map(time),
            status: self.status.parse().map_err(odd)?,
            done: number(self.done),
            refused: number(self.refused),
            total: self.total.map(number),
            position: self.position,
            mark: self.mark.map(|mark| delivery_id(&mark)).transpose()?,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            finished_at: self.finished_at.map(time),
            error: self.error,
        })
    }
}

#[async_trait]
impl Runs for Sqlite {
    async fn start_run(&self, run: &Run) -> Result<Started, BackendError> {
        let run = run.clone();
        self.writer.run(move |conn| start(conn, &run)).await
    }

    async fn find_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| find(conn, id, tenant.as_deref())).await
    }

    async fn list_runs(&self, tenant: Option<&str>, after: Option<RunId>, max: u32) -> Result<Page<Run, RunId>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| list(conn, tenant, after, max)).await
    }

    async fn cancel_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        let cancel = move |conn: &mut SqliteConnection| {
            let running = find(conn, id, tenant.as_deref())?.filter(|run| run.status == RunStatus::Running);
            if running.is_none() {
                return Ok(None);
            }
            end(conn, id, RunStatus::Cancelled, None)?;
            find(conn, id, None)
        };
        self.writer.run(cancel).await
    }

    async fn claim_run(&self, holder: Uuid, lease: Duration) -> Result<Option<Run>, BackendError> {
        // Looking costs no commit.
        let due = self.readers.run(due).await?;
        if due.is_none() {
            return Ok(None);
        }
        let claim = move |conn: &mut SqliteConnection| {
            let Some(row) = due_row(conn)? else { return Ok(None) };
            let until = micros(clock::after(clock::now(), lease));
            let own = (r::holder.eq(bytes(holder)), r::lease_until.eq(until));
            diesel::update(r::table.filter(r::id.eq(&row.id))).set(own).execute(conn)?;
            row.run().map(Some)
        };
        self.writer.run(claim).await
    }

    async fn measure_run(&self, run: &Run, holder: Uuid) -> Result<(), BackendError> {
        let Some(endpoint) = run.endpoint_id else { return Ok(()) };
        let (id, window) = (run.id, window_of(run));
        let count = self.readers.run(move |conn| stopping::count_failed(conn, endpoint, window)).await?;
        let total = (count <= COUNTED).then_some(count);
        let measure = move |conn: &mut SqliteConnection| {
            diesel::update(held!(id, holder)).set(r::total.eq(total)).execute(conn)?;
            Ok(())
        };
        self.writer.run(measure).await
    }

    async fn still_due(
        &self,
        endpoint: i64,
        range: (DeliveryId, DeliveryId),
        due: Timestamp,
        max: usize,
    ) -> Result<Vec<DeliveryId>, BackendError> {
        let look = move |conn: &mut SqliteConnection| {
            let rows: Vec<Vec<u8>> = d::table
                .filter(sql::<Bool>(WAITING))
                .filter(d::endpoint_id.eq(endpoint))
                .filter(d::id.between(bytes(range.0.0), bytes(range.1.0)))
                .filter(d::next_retry_at.le(micros(due)))
                .order(d::id.asc())
                .limit(limit(max))
                .select(d::id)
                .load(conn)?;
            rows.iter().map(|id| delivery_id(id)).collect()
        };
        self.readers.run(look).await
    }

    async fn retry_page(&self, run: &Run, holder: Uuid, pace: Pace) -> Result<Option<RetriedPage>, BackendError> {
        let (id, run) = (run.id, run.clone());
        self.writer.run(move |conn| retry_page(conn, id, &run, holder, pace)).await
    }

    async fn advance_run(&self, id: RunId, holder: Uuid, advance: &Advance) -> Result<bool, BackendError> {
        let advance = advance.clone();
        self.writer.run(move |conn| advance_run(conn, id, holder, &advance)).await
    }

    async fn forget_runs(&self, before: Timestamp) -> Result<u64, BackendError> {
        let forget = move |conn: &mut SqliteConnection| {
            let old = r::table.filter(r::status.ne(RunStatus::Running.as_str())).filter(r::finished_at.lt(micros(before)));
            Ok(diesel::delete(old).execute(conn)? as u64)
        };
        self.writer.run(forget).await
    }
}

fn window_of(run: &Run) -> Window {
    Window { since: run.since, until: run.until }
}

fn start(conn: &mut SqliteConnection, run: &Run) -> Result<Started, Trouble> {
    let same = r::table
        .filter(r::status.eq(RunStatus::Running.as_str()))
        .filter(r::kind.eq(run.kind.as_str()))
        .filter(r::endpoint_id.is(run.endpoint_id));
    if let Some(row) = same.select(Row::as_select()).first::<Row>(conn).optional()? {
        return Ok(Started::Already(row.run()?.id));
    }
    let values = (
        r::id.eq(bytes(run.id.0)),
        r::kind.eq(run.kind.as_str()),
        r::tenant.eq(run.tenant.as_deref()),
        r::endpoint_id.eq(run.endpoint_id),
        r::since.eq(run.since.map(micros)),
        r::until.eq(run.until.map(micros)),
        r::total.eq(run.total.map(|total| i64::try_from(total).unwrap_or(i64::MAX))),
        r::created_at.eq(micros(run.created_at)),
        r::updated_at.eq(micros(run.updated_at)),
        r::next_at.eq(micros(clock::now())),
    );
    diesel::insert_into(r::table).values(values).execute(conn)?;
    Ok(Started::New)
}

fn find(conn: &mut SqliteConnection, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, Trouble> {
    let row: Option<Row> = r::table.find(bytes(id.0)).select(Row::as_select()).first(conn).optional()?;
    row.filter(|row| tenant.is_none_or(|tenant| row.tenant.as_deref() == Some(tenant))).map(Row::run).transpose()
}

fn list(conn: &mut SqliteConnection, tenant: Option<String>, after: Option<RunId>, max: u32) -> Result<Page<Run, RunId>, Trouble> {
    let mut query = r::table.select(Row::as_select()).order(r::id.desc()).limit(i64::from(max) + 1).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(r::tenant.eq(tenant));
    }
    if let Some(after) = after {
        query = query.filter(r::id.lt(bytes(after.0)));
    }
    let rows = query.load::<Row>(conn)?.into_iter().map(Row::run).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(rows, max, |run| run.id))
}

fn due_row(conn: &mut SqliteConnection) -> Result<Option<Row>, Trouble> {
    let now = micros(clock::now());
    let due = r::table
        .filter(r::status.eq(RunStatus::Running.as_str()))
        .filter(r::next_at.le(now))
        .filter(r::lease_until.is_null().or(r::lease_until.assume_not_null().le(now)))
        .order(r::next_at.asc());
    Ok(due.select(Row::as_select()).first(conn).optional()?)
}

fn due(conn: &mut SqliteConnection) -> Result<Option<()>, Trouble> {
    Ok(due_row(conn)?.map(drop))
}

fn end(conn: &mut SqliteConnection, id: RunId, status: RunStatus, error: Option<&str>) -> Result<(), Trouble> {
    let now = micros(clock::now());
    let ended = (r::status.eq(status.as_str()), r::error.eq(error), r::finished_at.eq(now), r::updated_at.eq(now));
    diesel::update(r::table.find(bytes(id.0))).set(ended).execute(conn)?;
    Ok(())
}

fn retry_page(conn: &mut SqliteConnection, id: RunId, run: &Run, holder: Uuid, pace: Pace) -> Result<Option<RetriedPage>, Trouble> {
    let row: Option<Row> = held!(id, holder).select(Row::as_select()).first(conn).optional()?;
    let (Some(row), Some(endpoint)) = (row, run.endpoint_id) else { return Ok(None) };
    let from = row.position.as_deref().and_then(|id| id.parse().ok()).map(DeliveryId);
    let page = stopping::failed(conn, endpoint, window_of(run), from, pace.max)?;
    let mut back = Vec::with_capacity(page.len());
    for id in &page {
        if stopping::put_back(conn, *id, pace.due)? {
            back.push(*id);
        }
    }
    let last = page.len() < pace.max;
    let rest = pace.rest_after_each.saturating_mul(u32::try_from(back.len()).unwrap_or(u32::MAX));
    let advance = Advance {
        done: back.len() as u64,
        refused: (page.len() - back.len()) as u64,
        position: page.last().map(|id| id.0.to_string()),
        mark: pace.mark,
        rest,
        ended: last.then_some((RunStatus::Done, None)),
    };
    advance_run(conn, id, holder, &advance)?;
    Ok(Some(RetriedPage { back, last }))
}

fn advance_run(conn: &mut SqliteConnection, id: RunId, holder: Uuid, advance: &Advance) -> Result<bool, Trouble> {
    let add = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let now = clock::now();
    let set = (
        r::done.eq(r::done + add(advance.done)),
        r::refused.eq(r::refused + add(advance.refused)),
        r::position.eq(sql::<Nullable<Text>>("coalesce(").bind::<Nullable<Text>, _>(advance.position.as_deref()).sql(", position)")),
        r::mark.eq(sql::<Nullable<Binary>>("coalesce(").bind::<Nullable<Binary>, _>(advance.mark.map(|mark| bytes(mark.0))).sql(", mark)")),
        r::next_at.eq(micros(clock::after(now, advance.rest))),
        r::holder.eq(None::<Vec<u8>>),
        r::lease_until.eq(None::<i64>),
        r::updated_at.eq(micros(now)),
    );
    if diesel::update(held!(id, holder)).set(set).execute(conn)? == 0 {
        return Ok(false);
    }
    if let Some((status, error)) = &advance.ended {
        end(conn, id, *status, error.as_deref())?;
    }
    Ok(true)
}
