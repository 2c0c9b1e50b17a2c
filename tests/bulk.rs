//! What is much is done in the background, page by page, at the pace of the endpoint, and goes on in another process when one dies.

mod cancelled;
mod letters;
mod pace;
mod resumed;
mod retried;

use serde_json::{Value, json};

use crate::harness::{Gate, LONG, Reply, Stores, World, eventually};

/// How many deliveries of a run may be due and not attempted.
const AHEAD: u64 = 2000;

fn retry_failed(endpoint: i64) -> String {
    format!("/api/webhooks/endpoints/{endpoint}/retry-failed")
}

fn path_of(run: &Value) -> String {
    format!("/api/webhooks/runs/{}", run["id"].as_str().expect("an id"))
}

impl World {
    /// An endpoint with so many deliveries that failed once, an hour ago.
    async fn failed(&self, path: &str, count: usize, more: &Value) -> i64 {
        let endpoint = self.register(path, more).await;
        let sql = match &self.stores {
            Stores::Production { .. } => format!(
                "INSERT INTO webhook_events (id, event_type, data, routed_at, created_at) SELECT '{endpoint}-' || n, 'bulk', '1', now(), \
                 now() - interval '1 hour' FROM generate_series(1, {count}) n; \
                 INSERT INTO webhook_deliveries (id, endpoint_id, created_at, last_attempt_at, attempt_count, response_status, \
                 response_time, status, tenant, event_id, event_type, error_message) \
                 SELECT ('00000000-0000-8000-8000-' || lpad(to_hex({endpoint} * 1000000 + n), 12, '0'))::uuid, {endpoint}, \
                 now() - interval '1 hour', now() - interval '1 hour', 1, 500, 0.1, 'failed', 'default', '{endpoint}-' || n, 'bulk', \
                 'the receiver answered 500' FROM generate_series(1, {count}) n"
            ),
            Stores::Embedded { .. } => {
                let ago = "CAST(unixepoch() * 1000000 - 3600000000 AS INTEGER)";
                let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
                format!(
                    "BEGIN; INSERT INTO webhook_events (id, event_type, data, routed_at, created_at) {numbers} \
                     SELECT '{endpoint}-' || i, 'bulk', '1', {ago}, {ago} FROM n; \
                     INSERT INTO webhook_deliveries (id, endpoint_id, created_at, last_attempt_at, attempt_count, response_status, \
                     response_time, status, tenant, event_id, event_type, error_message) {numbers} \
                     SELECT unhex(printf('00000000000080008000%012x', {endpoint} * 1000000 + i)), {endpoint}, {ago}, {ago}, 1, 500, 0.1, \
                     'failed', 'default', '{endpoint}-' || i, 'bulk', 'the receiver answered 500' FROM n; COMMIT"
                )
            }
        };
        self.execute(&sql).await;
        endpoint
    }

    /// Nothing is answered at `path` until the gate opens.
    fn closed(&self, path: &str) -> Gate {
        let gate = Gate::closed();
        let behind = gate.clone();
        self.receiver.rule(path, move |_| Reply::status(204).behind(&behind));
        gate
    }

    /// Starts a run for all that failed.
    async fn start_run(&self, endpoint: i64) -> Value {
        let answer = self.api.post(&retry_failed(endpoint), &json!({})).await.expect(202);
        let run = answer["run"].clone();
        assert_eq!((&run["kind"], &run["status"], &run["endpoint_id"]), (&json!("retry_failed"), &json!("running"), &json!(endpoint)));
        run
    }

    async fn run(&self, run: &Value) -> Value {
        self.api.get(&path_of(run)).await.expect(200)
    }

    /// Waits until the run is as `wanted`.
    async fn run_is(&self, run: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(LONG * 2, async || Some(self.run(run).await).filter(&wanted)).await
    }

    /// Waits until the run has put back as much as may wait at once: it stays there until something is taken.
    async fn run_is_full(&self, run: &Value) {
        self.run_is(run, |run| run["done"] == AHEAD).await;
    }

    async fn in_status(&self, endpoint: i64, status: &str) -> i64 {
        let sql = format!("SELECT count(*) AS number FROM webhook_deliveries WHERE endpoint_id = {endpoint} AND status = '{status}'");
        self.number(&sql).await
    }

    async fn delivered(&self, endpoint: i64, count: i64) {
        eventually(LONG * 2, async || (self.in_status(endpoint, "delivered").await == count).then_some(())).await;
    }

    /// How many deliveries of the endpoint did not have exactly two attempts.
    async fn not_attempted_twice(&self, endpoint: i64) -> i64 {
        let sql = format!("SELECT count(*) AS number FROM webhook_deliveries WHERE endpoint_id = {endpoint} AND attempt_count <> 2");
        self.number(&sql).await
    }
}
