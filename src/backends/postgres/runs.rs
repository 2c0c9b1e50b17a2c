//! Runs: begun, found, ended. What their pages do is in `run_pages`.

use std::sync::Arc;

use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::errors::refused;
use super::statement::statement;
use super::{Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::page::Page;
use crate::model::run::{Run, RunId};
use crate::ports::{BackendError, Started};

/// The columns of [`RunRow`].
macro_rules! columns {
    () => {
        "id, kind, tenant, endpoint_id, since, until, status, done, refused, total, position, mark, created_at, updated_at, \
         finished_at, error"
    };
}
pub(super) use columns;

pub(super) type RunSql = (
    SqlUuid,
    Text,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Text,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<SqlUuid>,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Text>,
);

pub(super) type RunRow = (
    Uuid,
    String,
    Option<String>,
    Option<i64>,
    Option<Timestamp>,
    Option<Timestamp>,
    String,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<Uuid>,
    Timestamp,
    Timestamp,
    Option<Timestamp>,
    Option<String>,
);

statement! {
    InsertRun<'a> {
        id: Uuid => SqlUuid,
        kind: &'a str => Text,
        tenant: Option<&'a str> => Nullable<Text>,
        endpoint_id: Option<i64> => Nullable<BigInt>,
        since: Option<Timestamp> => Nullable<Timestamptz>,
        until: Option<Timestamp> => Nullable<Timestamptz>,
        total: Option<i64> => Nullable<BigInt>,
        created_at: Timestamp => Timestamptz,
        updated_at: Timestamp => Timestamptz,
    } -> SqlUuid =
        "INSERT INTO webhook_runs (id, kind, tenant, endpoint_id, since, until, total, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id"
}

statement! {
    FindSame<'a> {
        kind: &'a str => Text,
        endpoint_id: Option<i64> => Nullable<BigInt>,
    } -> SqlUuid =
        "SELECT id FROM webhook_runs WHERE status = 'running' AND kind = ? AND coalesce(endpoint_id, 0) = coalesce(?, 0)"
}

statement! {
    FindRun<'a> {
        id: Uuid => SqlUuid,
        all: bool => Bool,
        tenant: &'a str => Text,
    } -> RunSql =
        concat!("SELECT ", columns!(), " FROM webhook_runs WHERE id = ? AND (? OR tenant = ?)")
}

statement! {
    ListRuns<'a> {
        before: Uuid => SqlUuid,
        all: bool => Bool,
        tenant: &'a str => Text,
        max: i64 => BigInt,
    } -> RunSql =
        concat!("SELECT ", columns!(), " FROM webhook_runs WHERE id < ? AND (? OR tenant = ?) ORDER BY id DESC LIMIT ?")
}

statement! {
    CancelRun<'a> {
        id: Uuid => SqlUuid,
        all: bool => Bool,
        tenant: &'a str => Text,
    } -> RunSql =
        concat!(
            "UPDATE webhook_runs SET status = 'cancelled', finished_at = clock_timestamp(), updated_at = clock_timestamp() \
             WHERE id = ? AND status = 'running' AND (? OR tenant = ?) RETURNING ",
            columns!()
        )
}

statement! {
    ForgetRuns {
        before: Timestamp => Timestamptz,
    } -> SqlUuid =
        "DELETE FROM webhook_runs WHERE status <> 'running' AND finished_at < ? RETURNING id"
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn run_of(row: RunRow) -> Result<Run, BackendError> {
    let (
        id,
        kind,
        tenant,
        endpoint_id,
        since,
        until,
        status,
        done,
        refusals,
        total,
        position,
        mark,
        created_at,
        updated_at,
        finished_at,
        error,
    ) = row;
    let odd = |why: String| refused(format!("run {id}: {why}"));
    Ok(Run {
        id: RunId(id),
        kind: kind.parse().map_err(odd)?,
        tenant: tenant.map(Arc::from),
        endpoint_id,
        since,
        until,
        status: status.parse().map_err(odd)?,
        done: count(done),
        refused: count(refusals),
        total: total.map(count),
        position,
        mark: mark.map(DeliveryId),
        created_at,
        updated_at,
        finished_at,
        error,
    })
}

impl Postgres {
    pub(super) async fn begin_run(&self, run: &Run) -> Result<Started, BackendError> {
        let mut connection = self.pooled().await?;
        // One that ended between the two statements makes room for this one.
        loop {
            let insert = InsertRun {
                id: run.id.0,
                kind: run.kind.as_str(),
                tenant: run.tenant.as_deref(),
                endpoint_id: run.endpoint_id,
                since: run.since.map(in_calendar),
                until: run.until.map(in_calendar),
                total: run.total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)),
                created_at: run.created_at,
                updated_at: run.updated_at,
            };
            let inserted: Vec<Uuid> = self.within(insert.load(&mut *connection)).await?;
            if !inserted.is_empty() {
                return Ok(Started::New);
            }
            let same = FindSame { kind: run.kind.as_str(), endpoint_id: run.endpoint_id };
            let found: Vec<Uuid> = self.within(same.load(&mut *connection)).await?;
            if let Some(id) = found.into_iter().next() {
                return Ok(Started::Already(RunId(id)));
            }
        }
    }

    pub(super) async fn one_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = FindRun { id: id.0, all: tenant.is_none(), tenant: tenant.unwrap_or_default() };
        let rows: Vec<RunRow> = self.within(statement.load(&mut *connection)).await?;
        rows.into_iter().next().map(run_of).transpose()
    }

    pub(super) async fn page_of_runs(
        &self,
        tenant: Option<&str>,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Page<Run, RunId>, BackendError> {
        let mut connection = self.pooled().await?;
        let before = after.map_or(Uuid::max(), |after| after.0);
        let statement = ListRuns { before, all: tenant.is_none(), tenant: tenant.unwrap_or_default(), max: i64::from(limit) + 1 };
        let rows: Vec<RunRow> = self.within(statement.load(&mut *connection)).await?;
        let runs = rows.into_iter().map(run_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(runs, limit, |run| run.id))
    }

    pub(super) async fn end_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = CancelRun { id: id.0, all: tenant.is_none(), tenant: tenant.unwrap_or_default() };
        let rows: Vec<RunRow> = self.within(statement.load(&mut *connection)).await?;
        rows.into_iter().next().map(run_of).transpose()
    }

    pub(super) async fn forget_old_runs(&self, before: Timestamp) -> Result<u64, BackendError> {
        let mut connection = self.pooled().await?;
        let gone: Vec<Uuid> = self.within(ForgetRuns { before: in_calendar(before) }.load(&mut *connection)).await?;
        Ok(gone.len() as u64)
    }
}
