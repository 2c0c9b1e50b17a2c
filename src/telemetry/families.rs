//! Every metric there is, with its help text: names and labels are part of the contract with dashboards.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::model::outcome::FailureKind;

/// From a receiver in the same rack to the longest timeout that is usual, in seconds.
const REQUEST_BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
const COMMIT_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Handles of all metrics, in one registry.
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) events: IntCounterVec,
    pub(super) durations: HistogramVec,
    pub(super) attempts: IntCounterVec,
    pub(super) outcomes: IntCounterVec,
    pub(super) queue_size: IntGauge,
    pub(super) waiting: IntGauge,
    pub(super) dead_letters: IntGauge,
    pub(super) dead_letters_total: IntCounterVec,
    pub(super) endpoints_active: IntGauge,
    pub(super) endpoints_broken: IntGauge,
    pub(super) in_flight: IntGauge,
    pub(super) rate_limited: IntCounter,
    pub(super) commits: IntCounter,
    pub(super) commit_rows: IntCounter,
    pub(super) commit_durations: Histogram,
    pub(super) taken_over: IntCounter,
    pub(super) restored: IntCounterVec,
    pub(super) removed: IntCounterVec,
    pub(super) backend_errors: IntCounterVec,
}

impl Families {
    /// Registers everything.
    ///
    /// # Errors
    /// When two metrics have one name, or a name has a character that Prometheus refuses.
    pub(super) fn register() -> Result<Self, prometheus::Error> {
        let maker = Maker { registry: Registry::new() };
        let build = maker.gauges("webhook_build_info", "Always 1; its label is the version that runs.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let families = Self {
            events: maker.counters(
                "webhook_events_total",
                "Events matched (triggered), and deliveries that ended (delivered, failed).",
                &["event_type", "status"],
            )?,
            durations: maker.histograms(
                "webhook_delivery_duration_seconds",
                "How long requests took, from resolving the name to the last byte read, in seconds.",
                &["endpoint_name", "event_type"],
            )?,
            attempts: maker.counters(
                "webhook_delivery_attempts_total",
                "Requests made, by the number of the attempt; 10+ stands for all after the tenth.",
                &["endpoint_name", "attempt_number"],
            )?,
            outcomes: maker.counters(
                "webhook_outcomes_total",
                "What requests came to: a class of status, or a kind of failure.",
                &["class"],
            )?,
            queue_size: maker.gauge("webhook_queue_size", "Events that wait for a worker.")?,
            waiting: maker.gauge("webhook_waiting_deliveries", "Deliveries that wait for their next attempt.")?,
            dead_letters: maker.gauge("webhook_dead_letters", "Entries kept because they cannot be processed.")?,
            dead_letters_total: maker.counters(
                "webhook_dead_letters_total",
                "Entries that could not be processed, by reason.",
                &["reason"],
            )?,
            endpoints_active: maker.gauge("webhook_endpoints_active", "Endpoints that are active.")?,
            endpoints_broken: maker.gauge(
                "webhook_endpoints_broken",
                "Endpoints that are left alone because they are broken, as far as this process knows.",
            )?,
            in_flight: maker.gauge("webhook_in_flight", "Requests of this process that are running.")?,
            rate_limited: maker.counter(
                "webhook_rate_limited_total",
                "Deliveries that went back onto the schedule, to wait for their endpoint's rate limit.",
            )?,
            commits: maker.counter("webhook_commits_total", "Commits made to record what happened.")?,
            commit_rows: maker.counter("webhook_commit_rows_total", "Rows written by those commits.")?,
            commit_durations: maker.commit_durations()?,
            taken_over: maker.counter("webhook_leases_taken_over_total", "Claims taken over from workers that are gone.")?,
            restored: maker.counters("webhook_sweep_restored_total", "What the sweep put back: events and deliveries.", &["kind"])?,
            removed: maker.counters(
                "webhook_retention_removed_total",
                "Events and deliveries removed because they are over and old.",
                &["kind"],
            )?,
            backend_errors: maker.counters("webhook_backend_errors_total", "Calls to a backend that failed.", &["backend"])?,
            registry: maker.registry,
        };
        families.start_at_zero();
        Ok(families)
    }

    /// A counter that appears with its first increment hides that increment from `rate()`.
    fn start_at_zero(&self) {
        for class in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().chain(FailureKind::ALL.map(FailureKind::as_str)) {
            self.outcomes.with_label_values(&[class]);
        }
        for reason in ["too_large", "not_json", "bad_field", "not_an_id", "refused"] {
            self.dead_letters_total.with_label_values(&[reason]);
        }
        for kind in ["event", "delivery"] {
            self.restored.with_label_values(&[kind]);
            self.removed.with_label_values(&[kind]);
        }
        for backend in ["postgres", "redis", "sqlite"] {
            self.backend_errors.with_label_values(&[backend]);
        }
    }
}

struct Maker {
    registry: Registry,
}

impl Maker {
    fn register<C: Collector + Clone + 'static>(&self, made: Result<C, prometheus::Error>) -> Result<C, prometheus::Error> {
        let made = made?;
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(REQUEST_BUCKETS.to_vec()), labels))
    }

    fn commit_durations(&self) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::new("webhook_commit_duration_seconds", "How long those commits took, in seconds.");
        self.register(Histogram::with_opts(options.buckets(COMMIT_BUCKETS.to_vec())))
    }
}
