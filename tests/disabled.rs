//! What waits for an endpoint that is disabled or removed stops at once, stays visible with the reason, and can be put
//! back when the endpoint is enabled again.

mod at_once;
mod elsewhere;
mod lane;
mod one;
mod put_back;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Stores, World, eventually};

/// "At once" on a machine that does much else.
const SOON: Duration = Duration::from_secs(5);

const BY_OWNER: &str = "the endpoint is disabled: by its owner";

/// An event for the endpoint at `path` alone.
fn event(path: &str, id: &str) -> Value {
    json!({"id": id, "event_type": type_of(path), "data": {}})
}

fn type_of(path: &str) -> String {
    format!("for{path}")
}

fn path_of(endpoint: i64) -> String {
    format!("/api/webhooks/endpoints/{endpoint}")
}

impl World {
    /// An endpoint for events of its own. Its three attempts lie far apart: nothing comes due while a test runs.
    async fn hourly(&self, path: &str) -> i64 {
        self.register(path, &json!({"event_types": [type_of(path)], "retry_schedule": [3600, 3600]})).await
    }

    /// Such an endpoint whose receiver fails every first attempt, and these events, which wait for their second.
    async fn waiting(&self, path: &str, events: usize) -> i64 {
        let endpoint = self.hourly(path).await;
        self.fail_once(path, endpoint, events).await;
        endpoint
    }

    async fn fail_once(&self, path: &str, endpoint: i64, events: usize) {
        self.receiver.statuses(path, [500]);
        let all: Vec<_> = (0..events).map(|number| event(path, &format!("{path}-{number}"))).collect();
        for some in all.chunks(1000) {
            self.api.send(&some.into()).await;
        }
        self.becomes(endpoint, "retrying", events).await;
    }

    /// Waits until so many deliveries of the endpoint have that status.
    async fn becomes(&self, endpoint: i64, status: &str, count: usize) {
        self.becomes_within(Duration::from_secs(60), endpoint, status, count).await;
    }

    async fn becomes_within(&self, within: Duration, endpoint: i64, status: &str, count: usize) {
        let sql = format!("SELECT count(*) AS number FROM webhook_deliveries WHERE endpoint_id = {endpoint} AND status = '{status}'");
        let wanted = i64::try_from(count).unwrap();
        eventually(within, async || (self.number(&sql).await == wanted).then_some(())).await;
    }

    async fn enable(&self, endpoint: i64) {
        self.api.patch(&path_of(endpoint), &json!({"is_active": true})).await.expect(200);
    }

    async fn disable(&self, endpoint: i64) {
        self.api.patch(&path_of(endpoint), &json!({"is_active": false})).await.expect(200);
    }

    /// Waits until nothing is on the schedule: neither in Redis nor, embedded, in memory.
    async fn nothing_is_scheduled(&self) {
        match &self.stores {
            Stores::Production { .. } => {
                let (mut redis, key) = (self.redis().await, self.key("webhook_retries"));
                eventually(SOON, async || {
                    let left: u64 = ::redis::cmd("ZCARD").arg(&key).query_async(&mut redis).await.expect("Redis runs");
                    (left == 0).then_some(())
                })
                .await;
            }
            Stores::Embedded { .. } => self.api.metric_becomes("webhook_waiting_deliveries", 0.0).await,
        }
    }
}
