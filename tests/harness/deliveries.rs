//! Follows one delivery through the API.

use posthaste::model::clock::Timestamp;
use serde_json::{Value, json};

use super::api::Api;
use super::eventually::{LONG, eventually};

impl Api {
    /// Waits until a delivery of the event is as `wanted`, and returns it with its attempts.
    pub(crate) async fn delivery_of(&self, event_id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let query = format!("event_id={event_id}&limit=500");
        let found = eventually(LONG, async || self.deliveries(&query).await.into_iter().find(&wanted)).await;
        self.delivery(found["id"].as_str().expect("an id")).await
    }

    /// Waits until a delivery of the event is delivered or failed.
    pub(crate) async fn ended(&self, event_id: &str) -> Value {
        self.delivery_of(event_id, |delivery| delivery["status"] == "delivered" || delivery["status"] == "failed").await
    }

    /// Waits until a delivery of the event has failed `attempts` times and waits for another attempt.
    pub(crate) async fn retrying(&self, event_id: &str, attempts: u32) -> Value {
        self.delivery_of(event_id, |delivery| delivery["status"] == "retrying" && delivery["attempt_count"] == attempts).await
    }

    /// Makes an endpoint at `url` for events of type `name` alone, with `more`, and sends it one event whose id is `name` too.
    pub(crate) async fn deliver(&self, name: &str, url: &str, more: &Value) {
        let mut settings = json!({"name": name, "event_types": [name]});
        for (field, value) in more.as_object().into_iter().flatten() {
            settings[field] = value.clone();
        }
        self.register(url, &settings).await;
        self.send(&json!({"id": name, "event_type": name, "data": {}})).await;
    }

    /// Waits until the metric has that value.
    pub(crate) async fn metric_becomes(&self, line: &str, value: f64) {
        let same = |found: f64| (found - value).abs() < f64::EPSILON;
        eventually(LONG, async || self.metric(line).await.is_some_and(same).then_some(())).await;
    }
}

/// A time of the API.
#[track_caller]
pub(crate) fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("a time: {value}"))
}

/// Seconds from one time to another.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).as_seconds_f64()
}

/// Seconds from the end of the latest attempt until the next one is due.
#[track_caller]
pub(crate) fn wait_of(delivery: &Value) -> f64 {
    let took = delivery["response_time"].as_f64().expect("an attempt was made");
    seconds_between(time(&delivery["last_attempt_at"]), time(&delivery["next_retry_at"])) - took
}
