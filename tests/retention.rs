//! What is over and old is removed, little by little; what still waits is not.

mod any_mode;
mod large;

use serde_json::{Value, json};

use crate::harness::{LONG, Setup, Stores, World, eventually};

/// What is over is removed after little more than a second.
fn soon(setup: Setup) -> Setup {
    setup.set("POSTHASTE__RETENTION__DAYS", "0.000012").set("POSTHASTE__RETENTION__INTERVAL", "0.1")
}

/// An event whose type is its id.
fn event(id: &str) -> Value {
    json!({"id": id, "event_type": id, "data": 1})
}

impl World {
    async fn rows_become(&self, table: &str, count: i64) {
        eventually(LONG, async || (self.rows(table).await == count).then_some(())).await;
    }

    /// Makes the one delivery that waits due.
    async fn waits_no_longer(&mut self) {
        if let Stores::Production { .. } = self.stores {
            let delivery = self.api.deliveries("status=retrying").await.remove(0);
            return self.hurry(&delivery).await;
        }
        self.app.kill();
        self.number("UPDATE webhook_deliveries SET next_retry_at = 1 RETURNING 1 AS number").await;
        self.start_again().await;
    }
}
