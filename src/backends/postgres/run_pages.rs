//! The pages of runs: who has them, and what they write. Each is one statement, and so one commit.

use std::time::Duration;

use async_trait::async_trait;
use diesel::sql_types::{Array, BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::runs::{RunRow, RunSql, columns, run_of};
use super::statement::statement;
use super::{FIRST_TIME, Postgres, in_calendar};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::page::Page;
use crate::model::run::{Run, RunId, RunStatus};
use crate::ports::{Advance, BackendError, Pace, RetriedPage, Runs, Started};

statement! {
    ClaimRun {
        holder: Uuid => SqlUuid,
        lease: f64 => Double,
    } -> RunSql =
        concat!(
            "UPDATE webhook_runs SET holder = ?, lease_until = clock_timestamp() + make_interval(secs => ?) WHERE id = \
             (SELECT id FROM webhook_runs WHERE status = 'running' AND next_at <= clock_timestamp() \
             AND (lease_until IS NULL OR lease_until <= clock_timestamp()) ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING ",
            columns!()
        )
}

statement! {
    /// More than two million are not counted to the end.
    MeasureRun {
        endpoint: i64 => BigInt,
        first: Uuid => SqlUuid,
        end: Uuid => SqlUuid,
        since: Timestamp => Timestamptz,
        until: Timestamp => Timestamptz,
        id: Uuid => SqlUuid,
        holder: Uuid => SqlUuid,
    } -> SqlUuid =
        "UPDATE webhook_runs SET total = (SELECT nullif(count(*), 2000001) FROM (SELECT 1 FROM webhook_deliveries \
         WHERE endpoint_id = ? AND status = 'failed' AND id >= ? AND id <= ? AND created_at >= ? AND created_at < ? LIMIT 2000001) f) \
         WHERE id = ? AND holder = ? AND status = 'running' RETURNING id"
}

statement! {
    FindStillDue {
        endpoint: i64 => BigInt,
        first: Uuid => SqlUuid,
        last: Uuid => SqlUuid,
        due: Timestamp => Timestamptz,
        max: i64 => BigInt,
    } -> SqlUuid =
        "SELECT id FROM webhook_deliveries WHERE endpoint_id = ? AND status IN ('pending', 'retrying') AND id >= ? AND id <= ? \
         AND next_retry_at <= ? ORDER BY id LIMIT ?"
}

statement! {
    /// The row of the run is locked first: whoever cancels it either comes before the page, or after it. The page is put back as `PutBack` does.
    RetryPage {
        id: Uuid => SqlUuid,
        holder: Uuid => SqlUuid,
        first: Uuid => SqlUuid,
        end: Uuid => SqlUuid,
        since: Timestamp => Timestamptz,
        until: Timestamp => Timestamptz,
        max: i64 => BigInt,
        due: Timestamp => Timestamptz,
        mark: Option<Uuid> => Nullable<SqlUuid>,
        rest: f64 => Double,
        full: i64 => BigInt,
        full_again: i64 => BigInt,
    } -> (Array<SqlUuid>, Bool) =
        "WITH run AS MATERIALIZED (SELECT id, endpoint_id, position::uuid AS position FROM webhook_runs \
         WHERE id = ? AND holder = ? AND status = 'running' FOR UPDATE), \
         page AS MATERIALIZED (SELECT d.id FROM run CROSS JOIN LATERAL (SELECT f.id FROM webhook_deliveries f \
         WHERE f.status = 'failed' \
         AND (f.endpoint_id, f.id) > (run.endpoint_id, coalesce(run.position, '00000000-0000-0000-0000-000000000000')) \
         AND (f.endpoint_id, f.id) >= (run.endpoint_id, ?) AND (f.endpoint_id, f.id) <= (run.endpoint_id, ?) \
         AND f.created_at >= ? AND f.created_at < ? ORDER BY f.endpoint_id, f.id LIMIT ?) d), \
         failed AS MATERIALIZED (SELECT d.id FROM (SELECT * FROM webhook_deliveries WHERE id = ANY (ARRAY(SELECT id FROM page)) \
         ORDER BY id OFFSET 0 FOR UPDATE) d WHERE d.status = 'failed' \
         AND EXISTS (SELECT 1 FROM webhook_events e WHERE e.tenant = d.tenant AND e.id = d.event_id OFFSET 0)), \
         back AS (UPDATE webhook_deliveries d SET status = CASE WHEN d.attempt_count = 0 THEN 'pending' ELSE 'retrying' END, \
         next_retry_at = ?, attempt_error = NULL, \
         error_message = CASE WHEN d.last_attempt_at IS NOT NULL THEN coalesce(d.attempt_error, d.error_message) END \
         WHERE d.id = ANY (ARRAY(SELECT id FROM failed)) RETURNING d.id), \
         counts AS (SELECT (SELECT count(*) FROM page) AS looked_at, (SELECT count(*) FROM back) AS back) \
         UPDATE webhook_runs r SET done = r.done + c.back, refused = r.refused + c.looked_at - c.back, \
         position = coalesce((SELECT id::text FROM page ORDER BY id DESC LIMIT 1), r.position), mark = coalesce(?, r.mark), \
         next_at = clock_timestamp() + make_interval(secs => ? * c.back), holder = NULL, lease_until = NULL, \
         status = CASE WHEN c.looked_at < ? THEN 'done' ELSE 'running' END, updated_at = clock_timestamp(), \
         finished_at = CASE WHEN c.looked_at < ? THEN clock_timestamp() END \
         FROM run, counts c WHERE r.id = run.id \
         RETURNING ARRAY(SELECT id FROM back ORDER BY id), r.status = 'done'"
}

statement! {
    AdvanceRun<'a> {
        done: i64 => BigInt,
        refused: i64 => BigInt,
        position: Option<&'a str> => Nullable<Text>,
        mark: Option<Uuid> => Nullable<SqlUuid>,
        rest: f64 => Double,
        status: &'a str => Text,
        error: Option<&'a str> => Nullable<Text>,
        goes_on: bool => Bool,
        id: Uuid => SqlUuid,
        holder: Uuid => SqlUuid,
    } -> SqlUuid =
        "UPDATE webhook_runs SET done = done + ?, refused = refused + ?, position = coalesce(?, position), mark = coalesce(?, mark), \
         next_at = clock_timestamp() + make_interval(secs => ?), holder = NULL, lease_until = NULL, updated_at = clock_timestamp(), \
         status = ?, error = ?, finished_at = CASE WHEN NOT ? THEN clock_timestamp() END \
         WHERE id = ? AND holder = ? AND status = 'running' RETURNING id"
}

/// The ids and the times between which a run's deliveries lie. Ids carry milliseconds: they find the neighbourhood.
fn bounds(run: &Run) -> (Uuid, Uuid, Timestamp, Timestamp) {
    let next_millisecond = |until| DeliveryId::first_at(clock::after(until, Duration::from_millis(1))).0;
    (
        run.since.map_or(Uuid::nil(), |since| DeliveryId::first_at(since).0),
        run.until.map_or(Uuid::max(), next_millisecond),
        in_calendar(run.since.unwrap_or(FIRST_TIME)),
        in_calendar(run.until.unwrap_or(Timestamp::MAX_UTC)),
    )
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl Runs for Postgres {
    async fn start_run(&self, run: &Run) -> Result<Started, BackendError> {
        self.begin_run(run).await
    }

    async fn find_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        self.one_run(id, tenant).await
    }

    async fn list_runs(&self, tenant: Option<&str>, after: Option<RunId>, limit: u32) -> Result<Page<Run, RunId>, BackendError> {
        self.page_of_runs(tenant, after, limit).await
    }

    async fn cancel_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        self.end_run(id, tenant).await
    }

    async fn claim_run(&self, holder: Uuid, lease: Duration) -> Result<Option<Run>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = ClaimRun { holder, lease: lease.as_secs_f64() };
        let rows: Vec<RunRow> = self.within(statement.load(&mut *connection)).await?;
        rows.into_iter().next().map(run_of).transpose()
    }

    async fn measure_run(&self, run: &Run, holder: Uuid) -> Result<(), BackendError> {
        let Some(endpoint) = run.endpoint_id else { return Ok(()) };
        let (first, end, since, until) = bounds(run);
        let mut connection = self.pooled().await?;
        let statement = MeasureRun { endpoint, first, end, since, until, id: run.id.0, holder };
        let _measured: Vec<Uuid> = self.within(statement.load(&mut *connection)).await?;
        Ok(())
    }

    async fn still_due(
        &self,
        endpoint: i64,
        range: (DeliveryId, DeliveryId),
        due: Timestamp,
        max: usize,
    ) -> Result<Vec<DeliveryId>, BackendError> {
        let mut connection = self.pooled().await?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let statement = FindStillDue { endpoint, first: range.0.0, last: range.1.0, due: in_calendar(due), max };
        let found: Vec<Uuid> = self.within(statement.load(&mut *connection)).await?;
        Ok(found.into_iter().map(DeliveryId).collect())
    }

    async fn retry_page(&self, run: &Run, holder: Uuid, pace: Pace) -> Result<Option<RetriedPage>, BackendError> {
        let (first, end, since, until) = bounds(run);
        let max = i64::try_from(pace.max).unwrap_or(i64::MAX);
        let statement = RetryPage {
            id: run.id.0,
            holder,
            first,
            end,
            since,
            until,
            max,
            due: in_calendar(pace.due),
            mark: pace.mark.map(|mark| mark.0),
            rest: pace.rest_after_each.as_secs_f64(),
            full: max,
            full_again: max,
        };
        let mut connection = self.pooled().await?;
        let rows: Vec<(Vec<Uuid>, bool)> = self.within(statement.load(&mut *connection)).await?;
        let page = rows.into_iter().next();
        Ok(page.map(|(back, last)| RetriedPage { back: back.into_iter().map(DeliveryId).collect(), last }))
    }

    async fn advance_run(&self, id: RunId, holder: Uuid, advance: &Advance) -> Result<bool, BackendError> {
        let (status, error) = advance.ended.as_ref().map_or((RunStatus::Running, None), |(status, error)| (*status, error.as_deref()));
        let statement = AdvanceRun {
            done: whole(advance.done),
            refused: whole(advance.refused),
            position: advance.position.as_deref(),
            mark: advance.mark.map(|mark| mark.0),
            rest: advance.rest.as_secs_f64(),
            status: status.as_str(),
            error,
            goes_on: status == RunStatus::Running,
            id: id.0,
            holder,
        };
        let mut connection = self.pooled().await?;
        let advanced: Vec<Uuid> = self.within(statement.load(&mut *connection)).await?;
        Ok(!advanced.is_empty())
    }

    async fn forget_runs(&self, before: Timestamp) -> Result<u64, BackendError> {
        self.forget_old_runs(before).await
    }
}
