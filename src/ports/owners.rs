//! What a commit changes at endpoints because of how their deliveries went, and the events that tell their owners.

use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::event::Event;

/// An endpoint that is to get nothing more.
#[derive(Debug, Clone, PartialEq)]
pub struct Disabling {
    pub endpoint_id: i64,
    pub reason: String,
    /// Where it is for having failed since then: it counts only if that is what the records say, for somebody else may have
    /// succeeded meanwhile.
    pub failing_since: Option<Timestamp>,
    /// Accepted if, and only if, this is what disables the endpoint.
    pub event: Option<Arc<Event>>,
}

impl Disabling {
    /// At once, whatever it did before, and nobody is told.
    #[must_use]
    pub fn now(endpoint_id: i64, reason: impl Into<String>) -> Self {
        Self { endpoint_id, reason: reason.into(), failing_since: None, event: None }
    }
}

/// An endpoint at which an attempt succeeded, after others had failed or it had been disabled.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    pub endpoint_id: i64,
    /// When the attempt succeeded: what failed later is not taken back.
    pub at: Timestamp,
    /// Accepted if, and only if, this is what takes it back.
    pub event: Option<Arc<Event>>,
}
