//! Deliveries that wait, in both servers of a scene.

use crate::stage::Scene;

impl Scene {
    /// Writes deliveries (id, endpoint, event) that are due since `due` (Unix seconds), with their events, as if all had been accepted then.
    pub(crate) async fn load_due<'a>(&self, rows: impl Iterator<Item = (&'a str, i64, &'a str)>, due: f64) {
        let (mut ids, mut endpoints, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (id, endpoint, event) in rows {
            ids.push(id);
            endpoints.push(endpoint);
            events.push(event);
        }
        let statement = "INSERT INTO webhook_events (id, created_at, routed_at, event_type, data) \
                         SELECT event, to_timestamp($2), to_timestamp($2), 'backlog', '{\"order\": 184467440737}' \
                         FROM (SELECT DISTINCT event FROM unnest($1::text[]) AS e (event)) AS events ON CONFLICT DO NOTHING";
        self.sql.execute(statement, &[&events, &due]).await.expect("events");
        let statement = "INSERT INTO webhook_deliveries \
                         (id, endpoint_id, created_at, next_retry_at, attempt_count, status, tenant, event_id, event_type) \
                         SELECT id::uuid, endpoint, to_timestamp($4), to_timestamp($4), 0, 'pending', 'default', event, 'backlog' \
                         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS d (id, endpoint, event)";
        self.sql.execute(statement, &[&ids, &endpoints, &events, &due]).await.expect("deliveries");
        let scored: Vec<_> = ids.into_iter().map(|id| (due, id)).collect();
        let mut pipe = redis::pipe();
        pipe.zadd_multiple("webhook_retries", &scored).ignore();
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
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
