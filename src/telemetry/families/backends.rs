//! How the servers behind us are.

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::maker::Maker;

/// From a call that Redis answers at once to a statement that is about to be cancelled, in seconds.
const CALL_BUCKETS: [f64; 12] = [0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

pub(in crate::telemetry) struct Backends {
    pub(in crate::telemetry) errors: IntCounterVec,
    pub(in crate::telemetry) calls: HistogramVec,
    pub(in crate::telemetry) call_errors: IntCounterVec,
    pub(in crate::telemetry) shards_away: IntGauge,
    pub(in crate::telemetry) connections: IntGaugeVec,
    pub(in crate::telemetry) connections_limit: IntGauge,
    pub(in crate::telemetry) connections_waited_for: IntGauge,
}

impl Backends {
    pub(super) fn register(maker: &Maker) -> Result<Self, prometheus::Error> {
        let errors = maker.counters(
            "webhook_backend_errors_total",
            "How often something could not go on because a backend was away or refused, and was tried again.",
            &["backend"],
        )?;
        for backend in ["postgres", "redis", "sqlite"] {
            errors.with_label_values(&[backend]);
        }
        let connections = maker.gauges(
            "webhook_postgres_connections",
            "Connections of this process' pool to PostgreSQL: idle, or in_use.",
            &["state"],
        )?;
        for state in ["idle", "in_use"] {
            connections.with_label_values(&[state]);
        }
        Ok(Self {
            errors,
            calls: maker.histograms(
                "webhook_backend_call_seconds",
                "How long calls to a backend took, but for those that wait for something to come, in seconds.",
                &["backend", "call"],
                &CALL_BUCKETS,
            )?,
            call_errors: maker.counters("webhook_backend_call_errors_total", "Those of them that failed.", &["backend", "call"])?,
            shards_away: maker.gauge(
                "webhook_queue_shards_away",
                "Parts of a queue with shards that this process cannot reach: shards, the list of events, that of dead letters.",
            )?,
            connections,
            connections_limit: maker.gauge("webhook_postgres_connections_limit", "How many connections that pool may have.")?,
            connections_waited_for: maker
                .gauge("webhook_postgres_connections_waited_for", "Calls that wait for a connection of that pool.")?,
        })
    }
}
