//! Deliveries that wait, in both servers of a scene.

use crate::sample::EVENT_TYPE;
use crate::stage::Scene;

/// One of them.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) endpoint: i64,
    pub(crate) tenant: String,
    pub(crate) event: String,
}

/// What they have in common.
pub(crate) struct Waiting<'a> {
    /// Unix seconds: when their events were accepted, and when they are due.
    pub(crate) accepted: f64,
    pub(crate) due: f64,
    /// Attempts that were made, and answered with 503: none or one.
    pub(crate) attempts: i32,
    pub(crate) data: &'a str,
}

const EVENTS: &str = "INSERT INTO webhook_events (tenant, id, created_at, routed_at, event_type, data) \
                      SELECT tenant, event, to_timestamp($3), to_timestamp($3), $4::text, $5::text::json \
                      FROM (SELECT DISTINCT tenant, event FROM unnest($1::text[], $2::text[]) AS e (tenant, event)) AS events \
                      ON CONFLICT DO NOTHING";

const DELIVERIES: &str = "INSERT INTO webhook_deliveries \
                          (id, endpoint_id, created_at, next_retry_at, attempt_count, status, tenant, event_id, event_type, \
                          last_attempt_at, response_time, response_status, response_body) \
                          SELECT id::uuid, endpoint, to_timestamp($5), to_timestamp($6), $7::integer, \
                          CASE WHEN $7 = 0 THEN 'pending' ELSE 'retrying' END, tenant, event, $8::text, \
                          CASE WHEN $7 > 0 THEN to_timestamp($5) END, CASE WHEN $7 > 0 THEN 0.01 END, CASE WHEN $7 > 0 THEN 503 END, \
                          CASE WHEN $7 > 0 THEN '' END \
                          FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS d (id, endpoint, tenant, event)";

impl Scene {
    /// Writes them with their events, and puts them on the schedule.
    pub(crate) async fn load_waiting(&self, rows: &[Row], waiting: &Waiting<'_>) {
        self.record_waiting(rows, waiting).await;
        let scored: Vec<_> = rows.iter().map(|row| (waiting.due, &row.id)).collect();
        let mut pipe = redis::pipe();
        pipe.zadd_multiple("webhook_retries", &scored).ignore();
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
    }

    /// Writes them with their events; they are on no schedule.
    pub(crate) async fn record_waiting(&self, rows: &[Row], waiting: &Waiting<'_>) {
        fn text(rows: &[Row], pick: fn(&Row) -> &str) -> Vec<&str> {
            rows.iter().map(pick).collect()
        }
        let (ids, tenants, events) = (text(rows, |row| &row.id), text(rows, |row| &row.tenant), text(rows, |row| &row.event));
        let endpoints: Vec<_> = rows.iter().map(|row| row.endpoint).collect();
        let Waiting { accepted, due, attempts, data } = waiting;
        self.sql.execute(EVENTS, &[&tenants, &events, accepted, &EVENT_TYPE, data]).await.expect("events");
        self.sql
            .execute(DELIVERIES, &[&ids, &endpoints, &tenants, &events, accepted, due, attempts, &EVENT_TYPE])
            .await
            .expect("deliveries");
    }

    /// Deliveries on the schedule.
    pub(crate) async fn scheduled(&self) -> u64 {
        redis::cmd("ZCARD").arg("webhook_retries").query_async(&mut self.redis.clone()).await.expect("Redis runs")
    }

    /// How many deliveries were looked up by their ids so far: each claim of a due one looks it up once, and each attempt that is recorded once more.
    pub(crate) async fn looked_up(&self) -> i64 {
        let statement =
            "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'webhook_deliveries_pkey'";
        self.sql.query_one(statement, &[]).await.expect("PostgreSQL runs").get(0)
    }
}
