//! What waits, why, and for which endpoints.

use prometheus::{Gauge, IntCounter, IntGauge, IntGaugeVec};

use super::maker::Maker;
use crate::ports::Wait;

pub(in crate::telemetry) struct Waiting {
    pub(in crate::telemetry) queue_size: IntGauge,
    pub(in crate::telemetry) oldest_event: Gauge,
    pub(in crate::telemetry) oldest_unrouted: Gauge,
    pub(in crate::telemetry) deliveries: IntGauge,
    pub(in crate::telemetry) lateness: Gauge,
    /// In the order of [`Wait::ALL`].
    pub(in crate::telemetry) waits: [IntCounter; Wait::ALL.len()],
    pub(in crate::telemetry) rate_limited: IntCounter,
    pub(in crate::telemetry) dead_letters: IntGauge,
    pub(in crate::telemetry) active: IntGauge,
    pub(in crate::telemetry) broken: IntGauge,
    pub(in crate::telemetry) breakers: IntGaugeVec,
    pub(in crate::telemetry) broken_endpoints: IntGaugeVec,
}

impl Waiting {
    pub(super) fn register(maker: &Maker) -> Result<Self, prometheus::Error> {
        let waits = maker.counters(
            "webhook_waits_total",
            "Deliveries that this process put onto the schedule, by why: retry is a failed attempt, all others used up none.",
            &["reason"],
        )?;
        let breakers = maker.gauges(
            "webhook_breakers",
            "Endpoints that are left alone, as far as this process knows: broken (open), broken and tried with one request (half_open), \
             or slowed since they asked for it.",
            &["state"],
        )?;
        for state in ["open", "half_open", "slowed"] {
            breakers.with_label_values(&[state]);
        }
        Ok(Self {
            queue_size: maker.gauge("webhook_queue_size", "Events that wait for a worker.")?,
            oldest_event: maker.float_gauge(
                "webhook_oldest_event_age_seconds",
                "How long the event that waits for longest waits for a worker, in seconds; 0 when none does.",
            )?,
            oldest_unrouted: maker.float_gauge(
                "webhook_oldest_unrouted_age_seconds",
                "How long ago the oldest event was accepted that is not routed, whether it waits or is being sent, in seconds; 0 when there is none.",
            )?,
            deliveries: maker.gauge("webhook_waiting_deliveries", "Deliveries that wait for their next attempt.")?,
            lateness: maker.float_gauge(
                "webhook_oldest_delivery_lateness_seconds",
                "How long ago the earliest delivery on the schedule was due, in seconds; 0 when none is due.",
            )?,
            waits: Wait::ALL.map(|why| waits.with_label_values(&[why.as_str()])),
            rate_limited: maker.counter(
                "webhook_rate_limited_total",
                "Deliveries that went back onto the schedule, to wait for their endpoint's rate limit.",
            )?,
            dead_letters: maker.gauge("webhook_dead_letters", "Entries kept because they cannot be processed.")?,
            active: maker.gauge("webhook_endpoints_active", "Endpoints that are active.")?,
            broken: maker.gauge(
                "webhook_endpoints_broken",
                "Endpoints that are left alone because they are broken, as far as this process knows.",
            )?,
            breakers,
            broken_endpoints: maker.gauges(
                "webhook_endpoint_broken",
                "How many endpoints of that name are left alone because they are broken; there once one was.",
                &["endpoint_name"],
            )?,
        })
    }
}
