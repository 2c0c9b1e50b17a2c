//! Totals by the hour. The triggers of `migrations/postgres/*_totals` keep them; here they are read, and put together.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::Postgres;
use super::statement::statement;
use crate::model::clock::Timestamp;
use crate::model::delivery::Totals;
use crate::ports::BackendError;

/// Gives the connection a part of its own to count in, for as long as it lives: nobody else writes those rows, so its
/// commits wait for nobody's. With more than a thousand recorders the rest share part 0. The number says "post" in ASCII.
pub(super) const OWN_PART: &str = "SELECT set_config('posthaste.part', n::text, false) FROM generate_series(1, 1000) n \
                                   WHERE pg_try_advisory_lock(1886352244, n) LIMIT 1";

macro_rules! sums {
    () => {
        "coalesce(sum(t.total), 0)::bigint, coalesce(sum(t.delivered), 0)::bigint, coalesce(sum(t.failed), 0)::bigint, \
         coalesce(sum(t.attempted), 0)::bigint, coalesce(sum(t.response_micros), 0)::bigint"
    };
}

statement! {
    ReadTotals<'a> {
        whose: &'a str => Text,
        hour: i32 => Integer,
    } -> (BigInt, BigInt, BigInt, BigInt, BigInt) =
        concat!("SELECT ", sums!(), " FROM webhook_totals t WHERE t.whose = ? AND t.hour >= ?")
}

statement! {
    ReadEndpoints {
        endpoint: Vec<i64> => Array<BigInt>,
        hour: i32 => Integer,
    } -> (BigInt, BigInt, BigInt, BigInt, BigInt) = concat!(
        "SELECT s.* FROM unnest(?) WITH ORDINALITY AS v (endpoint_id, place), LATERAL (SELECT ", sums!(),
        " FROM webhook_totals t WHERE t.whose = 'endpoint ' || v.endpoint_id AND t.hour >= ?) s ORDER BY v.place"
    )
}

statement! {
    /// Locked rows are passed over: those who count never wait for this.
    PutTogether {
        before: i32 => Integer,
        max: i64 => BigInt,
    } -> (Text, Integer, BigInt) =
        "WITH loose AS MATERIALIZED (SELECT whose, hour, part FROM webhook_totals WHERE part >= 0 AND hour < ? \
         ORDER BY hour LIMIT ? FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM webhook_totals t USING loose l WHERE t.whose = l.whose AND t.hour = l.hour AND t.part = l.part RETURNING t.*) \
         INSERT INTO webhook_totals AS t (whose, hour, part, total, delivered, failed, attempted, response_micros) \
         SELECT whose, hour, -1, sum(total), sum(delivered), sum(failed), sum(attempted), sum(response_micros) \
         FROM gone GROUP BY whose, hour ORDER BY whose, hour ON CONFLICT (whose, hour, part) DO UPDATE SET \
         total = t.total + EXCLUDED.total, delivered = t.delivered + EXCLUDED.delivered, failed = t.failed + EXCLUDED.failed, \
         attempted = t.attempted + EXCLUDED.attempted, response_micros = t.response_micros + EXCLUDED.response_micros \
         RETURNING whose, hour, total"
}

statement! {
    /// Of what retention has removed altogether nothing is left to say.
    RemoveEmpty<'a> {
        whose: Vec<&'a str> => Array<Text>,
        hour: Vec<i32> => Array<Integer>,
    } -> () =
        "DELETE FROM webhook_totals t USING unnest(?, ?) AS v (whose, hour) WHERE t.whose = v.whose AND t.hour = v.hour AND t.part = -1 \
         AND (t.total, t.delivered, t.failed, t.attempted, t.response_micros) = (0, 0, 0, 0, 0)"
}

type Sums = (i64, i64, i64, i64, i64);

fn totals_of((total, delivered, failed, attempted, micros): Sums) -> Totals {
    // A moment in which not all parts are visible has none below zero, but plain SQL may write anything.
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Totals {
        total: count(total),
        delivered: count(delivered),
        failed: count(failed),
        avg_response_time: Totals::average(count(attempted), count(micros)),
    }
}

fn hour_of(at: Timestamp) -> i32 {
    i32::try_from(Totals::hour_of(at)).unwrap_or(if at.timestamp() < 0 { i32::MIN } else { i32::MAX })
}

impl Postgres {
    pub(super) async fn read_totals(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError> {
        let mut connection = self.pooled().await?;
        let whose = tenant.map_or_else(String::new, |tenant| format!("tenant {tenant}"));
        let statement = ReadTotals { whose: &whose, hour: hour_of(since) };
        self.within(statement.get_result(&mut *connection)).await.map(totals_of)
    }

    pub(super) async fn read_endpoint_totals(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError> {
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = ReadEndpoints { endpoint: endpoints.to_vec(), hour: hour_of(since) };
        let rows: Vec<Sums> = self.within(statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(totals_of).collect())
    }

    pub(super) async fn put_totals_together(&self, before: Timestamp, max: usize) -> Result<bool, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = PutTogether { before: hour_of(before), max: i64::try_from(max).unwrap_or(i64::MAX) };
        let made: Vec<(String, i32, i64)> = self.within(statement.load(&mut *connection)).await?;
        let empty: Vec<_> = made.iter().filter(|(_, _, total)| *total == 0).collect();
        if !empty.is_empty() {
            let statement = RemoveEmpty {
                whose: empty.iter().map(|(whose, _, _)| whose.as_str()).collect(),
                hour: empty.iter().map(|(_, hour, _)| *hour).collect(),
            };
            self.within(statement.execute(&mut *connection)).await?;
        }
        Ok(!made.is_empty())
    }
}

pub(super) async fn take_part(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    connection.batch_execute(OWN_PART).await
}
