//! An endpoint at which nothing succeeds is disabled, and its owner learns of that, of its recovery, and of deliveries that failed:
//! by events of our own, for those who name their types.

mod auto_disable;
mod cascade;
mod delivery_failed;
mod endpoints;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Received, World, eventually};

const DELIVERY_FAILED: &str = "webhook.delivery.failed";
const DISABLED: &str = "webhook.endpoint.disabled";
const RECOVERED: &str = "webhook.endpoint.recovered";

/// Within which what is due happens, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

/// `endpoints.disable_after`, as short as tests need it.
const DISABLE_AFTER: (&str, &str) = ("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "1");

fn path_of(endpoint: i64) -> String {
    format!("/api/webhooks/endpoints/{endpoint}")
}

impl World {
    /// An endpoint for its path alone, tried ten times a second for much longer than a test takes.
    async fn tireless(&self, path: &str, more: &Value) -> i64 {
        let mut settings = json!({"name": path, "event_types": [&path[1..]], "retry_schedule": vec![0.1; 100]});
        for (field, value) in more.as_object().into_iter().flatten() {
            settings[field] = value.clone();
        }
        self.register(path, &settings).await
    }

    /// An event for the endpoint at that path.
    async fn event_for(&self, path: &str, id: &str) {
        self.api.send(&json!({"id": id, "event_type": &path[1..], "data": {}})).await;
    }

    /// An endpoint at `path` for these types alone.
    async fn listens(&self, path: &str, event_types: &[&str]) -> i64 {
        self.register(path, &json!({"name": path, "event_types": event_types})).await
    }

    async fn endpoint(&self, id: i64) -> Value {
        self.api.get(&path_of(id)).await.expect(200)
    }

    async fn is_disabled(&self, id: i64) -> Value {
        eventually(SOON, async || Some(self.endpoint(id).await).filter(|endpoint| endpoint["is_active"] == false)).await
    }

    async fn starts_to_fail(&self, id: i64) -> Value {
        eventually(SOON, async || Some(self.endpoint(id).await).filter(|endpoint| endpoint["failing_since"] != Value::Null)).await
    }

    /// Waits until so many requests came to the path, and returns them.
    async fn come_to(&self, path: &str, count: usize) -> Vec<Arc<Received>> {
        self.receiver.wait_until(SOON, |all| all.iter().filter(|request| request.path == path).count() >= count).await;
        self.receiver.requests_to(path)
    }
}
