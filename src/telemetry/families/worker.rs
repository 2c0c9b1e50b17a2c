//! What this process is about, and how its worker gets on.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::maker::Maker;

const COMMIT_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

pub(in crate::telemetry) struct Worker {
    pub(in crate::telemetry) phase: IntGaugeVec,
    pub(in crate::telemetry) running: IntGauge,
    pub(in crate::telemetry) in_flight: IntGauge,
    pub(in crate::telemetry) in_flight_limit: IntGauge,
    pub(in crate::telemetry) held: IntGaugeVec,
    pub(in crate::telemetry) held_limit: IntGauge,
    pub(in crate::telemetry) receiver_connections: IntGauge,
    pub(in crate::telemetry) commits: IntCounter,
    pub(in crate::telemetry) commit_rows: IntCounter,
    pub(in crate::telemetry) commit_durations: Histogram,
    pub(in crate::telemetry) taken_over: IntCounter,
    pub(in crate::telemetry) restored: IntCounterVec,
    pub(in crate::telemetry) removed: IntCounterVec,
    pub(in crate::telemetry) spans_lost: IntCounter,
}

impl Worker {
    pub(super) fn register(maker: &Maker) -> Result<Self, prometheus::Error> {
        let build = maker.gauges("webhook_build_info", "Always 1; its label is the version that runs.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let kinds = ["kind"];
        let made = Self {
            phase: maker.gauges("webhook_process_phase", "1 for what this process does: starting, running, stopping.", &["phase"])?,
            running: maker.gauge(
                "webhook_worker_running",
                "1 while this process claims and sends; 0 in one that only serves the API, that is starting, or that stops.",
            )?,
            in_flight: maker.gauge("webhook_in_flight", "Requests of this process that are running.")?,
            in_flight_limit: maker
                .gauge("webhook_in_flight_limit", "How many requests this process may have running (WEBHOOK_WORKERS).")?,
            held: maker.gauges(
                "webhook_held_deliveries",
                "Deliveries in this process' memory: they wait for their turn (turn) or for a slot of a rate limit (slot), \
                 their request runs (request), or what came of it is being recorded (record).",
                &["state"],
            )?,
            held_limit: maker
                .gauge("webhook_held_deliveries_limit", "How many deliveries this process has in memory before it claims no more.")?,
            receiver_connections: maker
                .gauge("webhook_receiver_connections", "Connections of this process to receivers, in use or kept.")?,
            commits: maker.counter("webhook_commits_total", "Commits made to record what happened.")?,
            commit_rows: maker.counter("webhook_commit_rows_total", "Rows written by those commits.")?,
            commit_durations: maker.histogram(
                "webhook_commit_duration_seconds",
                "How long those commits took, waiting for records that were away included, in seconds.",
                &COMMIT_BUCKETS,
            )?,
            taken_over: maker.counter("webhook_leases_taken_over_total", "Claims taken over from workers that are gone.")?,
            restored: maker.counters("webhook_sweep_restored_total", "What the sweep put back: events and deliveries.", &kinds)?,
            removed: maker.counters(
                "webhook_retention_removed_total",
                "Events and deliveries removed because they are over and old.",
                &kinds,
            )?,
            spans_lost: maker
                .counter("webhook_spans_lost_total", "Spans that the collector did not take, or that were too many to wait for it.")?,
        };
        for kind in ["event", "delivery"] {
            made.restored.with_label_values(&[kind]);
            made.removed.with_label_values(&[kind]);
        }
        for state in ["turn", "slot", "request", "record"] {
            made.held.with_label_values(&[state]);
        }
        Ok(made)
    }
}
