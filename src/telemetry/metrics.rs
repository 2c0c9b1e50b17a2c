//! What happened, counted for Prometheus.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, TextEncoder};

use super::bounded::{Bounded, OTHER};
use super::families::{CLASSES, Families};
use crate::config::MetricsSettings;
use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::Attempt;
use crate::ports::{Breakers, Depth, Load, Observe, Phase, Pool, Wait};

/// Each pair of an endpoint and an event type is a histogram of some 20 series: beyond so many pairs for each endpoint, taken together, the
/// event type is `other`.
const PAIRS_PER_ENDPOINT: usize = 10;

/// The labels of `attempt_number`.
const NUMBERS: [&str; 11] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "10+"];

/// All metrics of this process. Counting what was counted before allocates nothing and takes read locks alone.
pub struct Metrics {
    families: Families,
    settings: MetricsSettings,
    event_types: Bounded<Arc<TypeHandles>>,
    endpoints: Bounded<Arc<EndpointHandles>>,
    /// Pairs of endpoint name and event type that have a histogram.
    pairs: AtomicUsize,
    /// Those that were ever broken, by their label.
    broken: Mutex<HashMap<Box<str>, IntGauge>>,
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
    outcomes: [OnceLock<IntCounter>; CLASSES.len()],
    end_to_end: OnceLock<Histogram>,
    durations: Bounded<Histogram>,
}

impl Metrics {
    #[must_use]
    pub fn new(settings: MetricsSettings) -> Self {
        #[expect(clippy::expect_used, reason = "names and labels are literals: a test that calls this once shows that they are valid")]
        let families = Families::register().expect("every metric has a valid name of its own");
        let metrics = Self {
            families,
            settings,
            event_types: Bounded::new(settings.max_event_types),
            endpoints: Bounded::new(settings.max_endpoints),
            pairs: AtomicUsize::new(0),
            broken: Mutex::default(),
        };
        metrics.phase(Phase::Starting, false);
        metrics
    }

    fn event_type(&self, name: &str) -> Arc<TypeHandles> {
        self.event_types.get(name, |label| {
            Arc::new(TypeHandles { label: label.into(), triggered: OnceLock::new(), delivered: OnceLock::new(), failed: OnceLock::new() })
        })
    }

    fn endpoint(&self, name: &str) -> Arc<EndpointHandles> {
        self.endpoints.get(name, |label| {
            let handles = EndpointHandles {
                label: label.into(),
                attempts: [const { OnceLock::new() }; NUMBERS.len()],
                outcomes: [const { OnceLock::new() }; CLASSES.len()],
                end_to_end: OnceLock::new(),
                durations: Bounded::new(self.settings.max_event_types + 1),
            };
            // What never succeeds has a ratio too.
            self.outcome(&handles, 0);
            Arc::new(handles)
        })
    }

    fn outcome<'a>(&self, endpoint: &'a EndpointHandles, class: usize) -> &'a IntCounter {
        let make = || self.families.deliveries.endpoint_outcomes.with_label_values(&[&*endpoint.label, CLASSES[class]]);
        endpoint.outcomes[class].get_or_init(make)
    }

    fn duration(&self, endpoint: &EndpointHandles, event_type: &str) -> Histogram {
        let most = self.settings.max_endpoints.saturating_mul(PAIRS_PER_ENDPOINT);
        endpoint.durations.get(event_type, |label| {
            let full = self.pairs.fetch_add(1, Ordering::Relaxed) >= most;
            self.families.deliveries.durations.with_label_values(&[&*endpoint.label, if full { OTHER } else { label }])
        })
    }

    fn count_event(&self, slot: &OnceLock<IntCounter>, event_type: &str, status: &str, count: u64) {
        slot.get_or_init(|| self.families.deliveries.events.with_label_values(&[event_type, status])).inc_by(count);
    }

    /// Names that were broken before stay, as 0: what is gone would look as if nobody knew.
    fn show_broken(&self, broken: &[Arc<Endpoint>]) {
        let mut counts: HashMap<Box<str>, u64> = HashMap::new();
        for endpoint in broken {
            *counts.entry(self.endpoint(&endpoint.spec.name).label.clone()).or_default() += 1;
        }
        let mut known = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, gauge) in &*known {
            set(gauge, counts.remove(label).unwrap_or_default());
        }
        for (label, count) in counts {
            let gauge = self.families.waiting.broken_endpoints.with_label_values(&[&*label]);
            set(&gauge, count);
            known.insert(label, gauge);
        }
    }
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// From when the event was accepted to the end of the attempt. Clocks of several machines may differ.
fn end_to_end(event: &Event, attempt: &Attempt) -> Duration {
    (attempt.started_at - event.accepted_at).to_std().unwrap_or_default() + attempt.took
}

impl Observe for Metrics {
    fn phase(&self, phase: Phase, works: bool) {
        for (one, label) in [(Phase::Starting, "starting"), (Phase::Running, "running"), (Phase::Stopping, "stopping")] {
            self.families.worker.phase.with_label_values(&[label]).set(i64::from(phase == one));
        }
        self.families.worker.running.set(i64::from(works));
    }

    fn capacity(&self, in_flight: u64, held: u64) {
        set(&self.families.worker.in_flight_limit, in_flight);
        set(&self.families.worker.held_limit, held);
    }

    fn triggered(&self, event_type: &str, count: u64) {
        let handles = self.event_type(event_type);
        self.count_event(&handles.triggered, &handles.label, "triggered", count);
    }

    fn attempted(&self, endpoint: &Endpoint, event: &Event, number: u32, attempt: &Attempt) {
        let families = &self.families.deliveries;
        let event_type = self.event_type(&event.event_type);
        let endpoint = self.endpoint(&endpoint.spec.name);
        self.duration(&endpoint, &event_type.label).observe(attempt.took.as_secs_f64());
        let slot = usize::try_from(number).unwrap_or(usize::MAX).clamp(1, NUMBERS.len()) - 1;
        endpoint.attempts[slot].get_or_init(|| families.attempts.with_label_values(&[&*endpoint.label, NUMBERS[slot]])).inc();
        let class = attempt.outcome.class();
        if let Some(class) = CLASSES.iter().position(|known| *known == class) {
            families.outcomes[class].inc();
            self.outcome(&endpoint, class).inc();
        }
        if attempt.outcome.is_success() {
            families.attempts_to_success.observe(f64::from(number));
            let whole = endpoint.end_to_end.get_or_init(|| families.end_to_end.with_label_values(&[&*endpoint.label]));
            whole.observe(end_to_end(event, attempt).as_secs_f64());
        }
    }

    fn settled(&self, event_type: &str, delivered: bool) {
        let handles = self.event_type(event_type);
        let (slot, status) = if delivered { (&handles.delivered, "delivered") } else { (&handles.failed, "failed") };
        self.count_event(slot, &handles.label, status, 1);
    }

    fn waits(&self, why: Wait, deliveries: u64) {
        if let Some(place) = Wait::ALL.iter().position(|one| *one == why) {
            self.families.waiting.waits[place].inc_by(deliveries);
        }
        if why == Wait::RateLimit {
            self.families.waiting.rate_limited.inc_by(deliveries);
        }
    }

    fn dead_letter(&self, class: &'static str) {
        self.families.deliveries.dead_letters.with_label_values(&[class]).inc();
    }

    fn depth(&self, depth: Depth) {
        set(&self.families.waiting.queue_size, depth.events);
        set(&self.families.waiting.deliveries, depth.deliveries);
        set(&self.families.waiting.dead_letters, depth.dead_letters);
    }

    fn oldest(&self, event: Duration, lateness: Duration) {
        self.families.waiting.oldest_event.set(event.as_secs_f64());
        self.families.waiting.lateness.set(lateness.as_secs_f64());
    }

    fn oldest_unrouted(&self, age: Duration) {
        self.families.waiting.oldest_unrouted.set(age.as_secs_f64());
    }

    fn endpoints_active(&self, count: u64) {
        set(&self.families.waiting.active, count);
    }

    fn breakers(&self, states: Breakers, broken: &[Arc<Endpoint>]) {
        let families = &self.families.waiting;
        for (state, count) in [("open", states.open), ("half_open", states.half_open), ("slowed", states.slowed)] {
            set(&families.breakers.with_label_values(&[state]), count);
        }
        set(&families.broken, states.open + states.half_open);
        self.show_broken(broken);
    }

    fn load(&self, load: Load) {
        let families = &self.families.worker;
        set(&families.in_flight, load.in_flight);
        let recording = load.held.saturating_sub(load.in_flight + load.turn + load.slot);
        for (state, count) in [("turn", load.turn), ("slot", load.slot), ("request", load.in_flight), ("record", recording)] {
            set(&families.held.with_label_values(&[state]), count);
        }
        set(&families.receiver_connections, load.connections);
    }

    fn committed(&self, rows: u64, took: Duration) {
        self.families.worker.commits.inc();
        self.families.worker.commit_rows.inc_by(rows);
        self.families.worker.commit_durations.observe(took.as_secs_f64());
    }

    fn taken_over(&self, claims: u64) {
        self.families.worker.taken_over.inc_by(claims);
    }

    fn swept(&self, events: u64, deliveries: u64) {
        self.families.worker.restored.with_label_values(&["event"]).inc_by(events);
        self.families.worker.restored.with_label_values(&["delivery"]).inc_by(deliveries);
    }

    fn forgot(&self, events: u64, deliveries: u64) {
        self.families.worker.removed.with_label_values(&["event"]).inc_by(events);
        self.families.worker.removed.with_label_values(&["delivery"]).inc_by(deliveries);
    }

    fn called(&self, backend: &'static str, call: &'static str, took: Duration, succeeded: bool) {
        self.families.backends.calls.with_label_values(&[backend, call]).observe(took.as_secs_f64());
        // There from the first call on, so that its first error is in a rate.
        self.families.backends.call_errors.with_label_values(&[backend, call]).inc_by(u64::from(!succeeded));
    }

    fn parts_away(&self, parts: u64) {
        set(&self.families.backends.shards_away, parts);
    }

    fn pool(&self, pool: Pool) {
        let families = &self.families.backends;
        for (state, count) in [("idle", pool.idle), ("in_use", pool.in_use)] {
            set(&families.connections.with_label_values(&[state]), count);
        }
        set(&families.connections_limit, pool.limit);
        set(&families.connections_waited_for, pool.waiting);
    }

    fn spans_lost(&self, spans: u64) {
        self.families.worker.spans_lost.inc_by(spans);
    }

    fn trouble(&self, backend: &'static str) {
        self.families.backends.errors.with_label_values(&[backend]).inc();
    }

    fn render(&self) -> String {
        self.families.process.look();
        TextEncoder::new().encode_to_string(&self.families.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics could not be written");
            String::new()
        })
    }
}
