//! An endpoint with a rate limit gets as many requests as it takes, from all workers together: the others wait, and none of them fails.

mod backlog;
mod changed;
mod exact;
mod frozen;
mod slow;
mod stopped;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Received, World};

const LIMITED: &str = "webhook_rate_limited_total";

fn limit(max_requests: u32, window: f64) -> Value {
    json!({"rate_limit": {"max_requests": max_requests, "window": window}})
}

fn events(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": number}).to_string()).collect()
}

/// How many requests came within any such window, at most.
fn most_within(window: Duration, requests: &[Arc<Received>]) -> usize {
    let mut times: Vec<_> = requests.iter().map(|request| request.at).collect();
    times.sort_unstable();
    let within = |first: usize| times[first..].iter().take_while(|at| at.duration_since(times[first]) < window).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

/// How long it took from the first request to the last.
fn span(requests: &[Arc<Received>]) -> Duration {
    let times = || requests.iter().map(|request| request.at);
    times().max().zip(times().min()).map(|(last, first)| last.duration_since(first)).expect("requests")
}

impl World {
    /// Waits until all of them are delivered, each by its first request.
    async fn all_delivered_at_once(&self, count: usize) {
        let delivered = self.api.wait_for_deliveries("delivered", count).await;
        assert_eq!(delivered.len(), count);
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 1), "waiting uses no attempt");
        assert!(self.receiver.counts().values().all(|requests| *requests == 1), "{:?}", self.receiver.counts());
    }
}
