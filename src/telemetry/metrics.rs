//! What happened, counted for Prometheus.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, TextEncoder};

use super::bounded::{Bounded, OTHER};
use super::families::Families;
use crate::model::endpoint::Endpoint;
use crate::model::outcome::Attempt;
use crate::ports::{Depth, Observe};

const MAX_ENDPOINT_NAMES: usize = 1000;
const MAX_EVENT_TYPES: usize = 1000;
/// Each pair of an endpoint and an event type is a histogram of some 20 series: beyond this many pairs the event type is `other`.
const MAX_PAIRS: usize = 10_000;

/// The labels of `attempt_number`.
const NUMBERS: [&str; 11] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "10+"];

/// All metrics of this process. Counting what was counted before allocates nothing and takes read locks alone.
pub struct Metrics {
    families: Families,
    event_types: Bounded<Arc<TypeHandles>>,
    endpoints: Bounded<Arc<EndpointHandles>>,
    /// Pairs of endpoint name and event type that have a histogram.
    pairs: AtomicUsize,
}

struct TypeHandles {
    label: Box<str>,
    triggered: OnceLock<IntCounter>,
    delivered: OnceLock<IntCounter>,
    failed: OnceLock<IntCounter>,
}

struct EndpointHandles {
    label: Box<str>,
    attempts: [OnceLock<IntCounter>; NUMBERS.len()],
    durations: Bounded<Histogram>,
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "names and labels are literals: a test that calls this once shows that they are valid")]
        let families = Families::register().expect("every metric has a valid name of its own");
        Self {
            families,
            event_types: Bounded::new(MAX_EVENT_TYPES),
            endpoints: Bounded::new(MAX_ENDPOINT_NAMES),
            pairs: AtomicUsize::new(0),
        }
    }

    fn event_type(&self, name: &str) -> Arc<TypeHandles> {
        self.event_types.get(name, |label| {
            Arc::new(TypeHandles { label: label.into(), triggered: OnceLock::new(), delivered: OnceLock::new(), failed: OnceLock::new() })
        })
    }

    fn endpoint(&self, name: &str) -> Arc<EndpointHandles> {
        self.endpoints.get(name, |label| {
            Arc::new(EndpointHandles {
                label: label.into(),
                attempts: [const { OnceLock::new() }; NUMBERS.len()],
                durations: Bounded::new(MAX_EVENT_TYPES + 1),
            })
        })
    }

    fn duration(&self, endpoint: &EndpointHandles, event_type: &str) -> Histogram {
        endpoint.durations.get(event_type, |label| {
            let full = self.pairs.fetch_add(1, Ordering::Relaxed) >= MAX_PAIRS;
            self.families.durations.with_label_values(&[&*endpoint.label, if full { OTHER } else { label }])
        })
    }

    fn count_event(&self, slot: &OnceLock<IntCounter>, event_type: &str, status: &str, count: u64) {
        slot.get_or_init(|| self.families.events.with_label_values(&[event_type, status])).inc_by(count);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

impl Observe for Metrics {
    fn triggered(&self, event_type: &str, count: u64) {
        let handles = self.event_type(event_type);
        self.count_event(&handles.triggered, &handles.label, "triggered", count);
    }

    fn attempted(&self, endpoint: &Endpoint, event_type: &str, number: u32, attempt: &Attempt) {
        let event_type = self.event_type(event_type);
        let endpoint = self.endpoint(&endpoint.spec.name);
        self.duration(&endpoint, &event_type.label).observe(attempt.took.as_secs_f64());
        let slot = usize::try_from(number).unwrap_or(usize::MAX).clamp(1, NUMBERS.len()) - 1;
        endpoint.attempts[slot].get_or_init(|| self.families.attempts.with_label_values(&[&*endpoint.label, NUMBERS[slot]])).inc();
        self.families.outcomes.with_label_values(&[attempt.outcome.class()]).inc();
    }

    fn settled(&self, event_type: &str, delivered: bool) {
        let handles = self.event_type(event_type);
        let (slot, status) = if delivered { (&handles.delivered, "delivered") } else { (&handles.failed, "failed") };
        self.count_event(slot, &handles.label, status, 1);
    }

    fn dead_letter(&self, class: &'static str) {
        self.families.dead_letters_total.with_label_values(&[class]).inc();
    }

    fn depth(&self, depth: Depth) {
        set(&self.families.queue_size, depth.events);
        set(&self.families.waiting, depth.deliveries);
        set(&self.families.dead_letters, depth.dead_letters);
    }

    fn endpoints_active(&self, count: u64) {
        set(&self.families.endpoints_active, count);
    }

    fn endpoints_broken(&self, count: u64) {
        set(&self.families.endpoints_broken, count);
    }

    fn in_flight(&self, count: u64) {
        set(&self.families.in_flight, count);
    }

    fn rate_limited(&self, deliveries: u64) {
        self.families.rate_limited.inc_by(deliveries);
    }

    fn committed(&self, rows: u64, took: Duration) {
        self.families.commits.inc();
        self.families.commit_rows.inc_by(rows);
        self.families.commit_durations.observe(took.as_secs_f64());
    }

    fn taken_over(&self, claims: u64) {
        self.families.taken_over.inc_by(claims);
    }

    fn swept(&self, events: u64, deliveries: u64) {
        self.families.restored.with_label_values(&["event"]).inc_by(events);
        self.families.restored.with_label_values(&["delivery"]).inc_by(deliveries);
    }

    fn forgot(&self, events: u64, deliveries: u64) {
        self.families.removed.with_label_values(&["event"]).inc_by(events);
        self.families.removed.with_label_values(&["delivery"]).inc_by(deliveries);
    }

    fn trouble(&self, backend: &'static str) {
        self.families.backend_errors.with_label_values(&[backend]).inc();
    }

    fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.families.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics could not be written");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock;
    use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
    use crate::model::outcome::{Answer, Outcome};
    use crate::model::secret::Secret;

    fn endpoint(name: &str) -> Endpoint {
        let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
        let draft = EndpointDraft {
            name: Some(name.into()),
            url: Some("https://example.com/".into()),
            event_types: Some(vec!["*".into()]),
            ..EndpointDraft::default()
        };
        let new = draft.into_new(defaults).expect("valid");
        let now = clock::now();
        let secret = Secret::new("secret".into());
        Endpoint {
            id: 1,
            tenant: new.tenant,
            spec: new.spec,
            secret,
            earlier: Vec::new(),
            locked: None,
            disabled_reason: None,
            failing_since: None,
            recovering: false,
            created_at: now,
            updated_at: now,
        }
    }

    fn answered(status: u16) -> Attempt {
        let outcome = Outcome::Answered(Answer { status, body: String::new(), retry_after: None });
        Attempt { started_at: clock::now(), took: Duration::from_millis(30), outcome }
    }

    #[test]
    fn names_and_labels_are_those_of_the_contract() {
        let metrics = Metrics::new();
        metrics.triggered("order.created", 2);
        metrics.attempted(&endpoint("shop"), "order.created", 1, &answered(200));
        metrics.attempted(&endpoint("shop"), "order.created", 99, &answered(503));
        metrics.settled("order.created", true);
        metrics.settled("order.created", false);
        metrics.depth(Depth { events: 7, deliveries: 5, dead_letters: 3 });
        metrics.endpoints_active(4);
        let text = metrics.render();
        for line in [
            "webhook_events_total{event_type=\"order.created\",status=\"triggered\"} 2",
            "webhook_events_total{event_type=\"order.created\",status=\"delivered\"} 1",
            "webhook_events_total{event_type=\"order.created\",status=\"failed\"} 1",
            "webhook_delivery_duration_seconds_count{endpoint_name=\"shop\",event_type=\"order.created\"} 2",
            "webhook_delivery_attempts_total{attempt_number=\"1\",endpoint_name=\"shop\"} 1",
            "webhook_delivery_attempts_total{attempt_number=\"10+\",endpoint_name=\"shop\"} 1",
            "webhook_outcomes_total{class=\"5xx\"} 1",
            "webhook_queue_size 7",
            "webhook_waiting_deliveries 5",
            "webhook_dead_letters 3",
            "webhook_endpoints_active 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.contains(&format!("webhook_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn label_values_are_bounded() {
        let metrics = Metrics::new();
        for number in 0..MAX_EVENT_TYPES + 5 {
            metrics.triggered(&format!("type.{number}"), 1);
            metrics.attempted(&endpoint(&format!("endpoint {number}")), "type.0", 1, &answered(200));
        }
        let text = metrics.render();
        assert!(text.contains("webhook_events_total{event_type=\"other\",status=\"triggered\"} 5"));
        assert!(text.contains("webhook_delivery_attempts_total{attempt_number=\"1\",endpoint_name=\"other\"} 5"));
        let series = text.lines().filter(|line| line.starts_with("webhook_delivery_attempts_total{")).count();
        assert_eq!(series, MAX_ENDPOINT_NAMES + 1);
    }

    #[test]
    fn pairs_of_endpoint_and_event_type_are_bounded_too() {
        let metrics = Metrics::new();
        for endpoint_number in 0..11 {
            let endpoint = endpoint(&format!("endpoint {endpoint_number}"));
            for number in 0..MAX_EVENT_TYPES {
                metrics.attempted(&endpoint, &format!("type.{number}"), 1, &answered(200));
            }
        }
        let text = metrics.render();
        let histograms = text.lines().filter(|line| line.starts_with("webhook_delivery_duration_seconds_count{")).count();
        assert!(histograms <= MAX_PAIRS + MAX_ENDPOINT_NAMES, "{histograms}");
        assert!(text.contains("endpoint_name=\"endpoint 10\",event_type=\"other\""));
    }
}
