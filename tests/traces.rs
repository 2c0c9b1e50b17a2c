//! Traces: events pass theirs on, and the way of events can be watched as spans.

mod collector;
mod logs;
mod passed_on;
mod sampling;
mod spans;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::harness::{Received, Reply, World};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
/// Of a trace that is sampled.
const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn event(id: &str, traceparent: &str) -> String {
    json!({"id": id, "event_type": "order.created", "data": 1, "traceparent": traceparent}).to_string()
}

/// What each attempt carried, in order; a header that stands twice is none.
fn carried(requests: &[Arc<Received>], event_id: &str) -> Vec<Option<String>> {
    let own = requests.iter().filter(|request| request.event_id() == event_id);
    own.map(|request| {
        let values: Vec<_> = request.headers.get_all("traceparent").iter().collect();
        assert!(values.len() < 2, "{values:?}");
        values.first().map(|value| value.to_str().expect("text").to_owned())
    })
    .collect()
}

impl World {
    /// An endpoint that fails, attempt after attempt, until the answer is told to be true.
    async fn register_failing(&self) -> Arc<AtomicBool> {
        self.register("/failing", &json!({"name": "failing", "retry_schedule": vec![1; 100]})).await;
        let mended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&mended);
        self.receiver.rule("/failing", move |_| Reply::status(if seen.load(Ordering::Relaxed) { 204 } else { 500 }));
        mended
    }

    /// An endpoint of which each event's first attempt fails, and the second one `retry_delay` seconds later succeeds.
    async fn register_flaky(&self, retry_delay: f64) {
        self.register("/flaky", &json!({"name": "flaky", "retry_delay": retry_delay})).await;
        self.receiver.rule("/flaky", |request| Reply::status(if request.attempt() == 1 { 500 } else { 204 }));
    }
}
