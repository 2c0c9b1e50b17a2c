//! What became of events, deliveries and attempts.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::maker::Maker;

/// From a receiver in the same rack to the longest timeout that is usual, in seconds.
const REQUEST_BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
/// From an event that finds nothing before it to one whose endpoint was away for a day, in seconds.
const END_TO_END_BUCKETS: [f64; 13] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0];
const ATTEMPT_BUCKETS: [f64; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0];

/// Every class of [`Outcome::class`](crate::model::outcome::Outcome::class).
pub(in crate::telemetry) const CLASSES: [&str; 12] = [
    "2xx",
    "1xx",
    "3xx",
    "4xx",
    "5xx",
    "timeout",
    "DNS failure",
    "blocked address",
    "connection refused",
    "connection reset",
    "TLS failure",
    "protocol error",
];

/// Every class of a dead letter.
const LETTERS: [&str; 6] = ["too_large", "not_json", "bad_field", "not_an_id", "refused", "panicked"];

pub(in crate::telemetry) struct Deliveries {
    pub(in crate::telemetry) events: IntCounterVec,
    pub(in crate::telemetry) durations: HistogramVec,
    pub(in crate::telemetry) end_to_end: HistogramVec,
    pub(in crate::telemetry) attempts: IntCounterVec,
    pub(in crate::telemetry) attempts_to_success: Histogram,
    /// In the order of [`CLASSES`].
    pub(in crate::telemetry) outcomes: [IntCounter; CLASSES.len()],
    pub(in crate::telemetry) endpoint_outcomes: IntCounterVec,
    pub(in crate::telemetry) dead_letters: IntCounterVec,
}

impl Deliveries {
    pub(super) fn register(maker: &Maker) -> Result<Self, prometheus::Error> {
        let outcomes =
            maker.counters("webhook_outcomes_total", "What requests came to: a class of status, or a kind of failure.", &["class"])?;
        let dead_letters = maker.counters("webhook_dead_letters_total", "Entries that could not be processed, by reason.", &["reason"])?;
        // A counter that appears with its first increment hides that increment from `rate()`.
        for reason in LETTERS {
            dead_letters.with_label_values(&[reason]);
        }
        Ok(Self {
            events: maker.counters(
                "webhook_events_total",
                "Events matched (triggered), and deliveries that ended (delivered, failed).",
                &["event_type", "status"],
            )?,
            durations: maker.histograms(
                "webhook_delivery_duration_seconds",
                "How long requests took, from resolving the name to the last byte read, in seconds.",
                &["endpoint_name", "event_type"],
                &REQUEST_BUCKETS,
            )?,
            end_to_end: maker.histograms(
                "webhook_end_to_end_seconds",
                "How long deliveries took from when their event was accepted (from the Redis list: claimed) to the 2xx, in seconds.",
                &["endpoint_name"],
                &END_TO_END_BUCKETS,
            )?,
            attempts: maker.counters(
                "webhook_delivery_attempts_total",
                "Requests made, by the number of the attempt; 10+ stands for all after the tenth.",
                &["endpoint_name", "attempt_number"],
            )?,
            attempts_to_success: maker.histogram(
                "webhook_attempts_to_success",
                "How many attempts delivered deliveries took.",
                &ATTEMPT_BUCKETS,
            )?,
            outcomes: CLASSES.map(|class| outcomes.with_label_values(&[class])),
            endpoint_outcomes: maker.counters(
                "webhook_endpoint_outcomes_total",
                "What requests to an endpoint came to: a class of status, or a kind of failure.",
                &["endpoint_name", "class"],
            )?,
            dead_letters,
        })
    }
}
