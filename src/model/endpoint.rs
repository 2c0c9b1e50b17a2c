//! An endpoint: a URL that subscribed to event types, with its secret and limits.

mod draft;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::clock::Timestamp;
use crate::model::pattern::Pattern;
use crate::model::rotation::EarlierSecret;
use crate::model::secret::Secret;
use crate::model::whole;

pub use self::draft::{EndpointDefaults, EndpointDraft, NewEndpoint, ScheduleDraft};
pub(super) use self::draft::{check_secret, seconds, take};

/// The retry schedule that the word `"standard"` stands for, in seconds (Standard Webhooks 1.0.0).
pub const STANDARD_SCHEDULE: [f64; 9] = [5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0];

/// Names that Posthaste sets itself, or that belong to the connection, in lower case.
pub const RESERVED_HEADERS: [&str; 17] = [
    "content-type",
    "user-agent",
    "x-webhook-signature",
    "x-webhook-event",
    "x-webhook-delivery",
    "x-webhook-attempt",
    "x-webhook-timestamp",
    "x-webhook-test",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "traceparent",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
];

/// How many requests within how many seconds an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    #[serde(deserialize_with = "whole::number")]
    pub max_requests: u32,
    /// Seconds.
    pub window: f64,
}

/// What an endpoint's owner chooses, valid.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSpec {
    pub name: String,
    pub url: Url,
    pub event_types: Vec<Pattern>,
    pub headers: BTreeMap<String, String>,
    /// One deadline for everything: resolve, connect, TLS, send, head and body.
    pub timeout: Duration,
    /// How many attempts a delivery has.
    pub max_retries: u32,
    /// Before the second attempt; doubled for each further one.
    pub retry_delay: Duration,
    /// Seconds before each further attempt, instead of `max_retries` and `retry_delay`.
    pub retry_schedule: Option<Vec<f64>>,
    pub rate_limit: Option<RateLimit>,
    /// How many requests may run at once; `None` for `limits.endpoint_in_flight`.
    pub in_flight: Option<u32>,
    pub is_active: bool,
}

impl EndpointSpec {
    /// How many attempts a delivery has: one more than the schedule's length, or `max_retries`.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match &self.retry_schedule {
            Some(schedule) => u32::try_from(schedule.len()).unwrap_or(u32::MAX).saturating_add(1),
            None => self.max_retries,
        }
    }
}

/// A registered endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub id: i64,
    pub tenant: Arc<str>,
    pub spec: EndpointSpec,
    pub secret: Secret,
    /// Secrets that were replaced and are still valid, newest first.
    pub earlier: Vec<EarlierSecret>,
    /// Why its secrets cannot be read. Nothing can be signed then, so what it is owed waits.
    pub locked: Option<String>,
    pub disabled_reason: Option<String>,
    /// Since when all attempts have failed, as far as workers have written it down.
    pub failing_since: Option<Timestamp>,
    /// Enabled again after Posthaste had disabled it, and nothing has succeeded since.
    pub recovering: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// As it is right after its registration, for those who have no row of it.
    #[must_use]
    pub fn new(id: i64, tenant: Arc<str>, spec: EndpointSpec, secret: Secret, at: Timestamp) -> Self {
        Self {
            id,
            tenant,
            spec,
            secret,
            earlier: Vec::new(),
            locked: None,
            disabled_reason: None,
            failing_since: None,
            recovering: false,
            created_at: at,
            updated_at: at,
        }
    }
}
