//! A span as it waits to be exported.

use std::sync::Arc;
use std::time::Duration;

use crate::model::clock::{self, Timestamp};
use crate::model::event::Event;
use crate::model::trace::{SpanId, TraceId};

/// As OTLP numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Consumer = 5,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Literal(&'static str),
    Shared(Arc<str>),
    Text(String),
    Number(i64),
    Flag(bool),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Where a span is in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent: Option<SpanId>,
    /// As W3C Trace Context has them.
    pub(super) flags: u8,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) place: Place,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
    /// What went wrong.
    pub(super) error: Option<String>,
}

impl Span {
    /// A span about an event, as long as `took` says.
    pub(super) fn about(event: &Event, place: Place, (name, kind): (&'static str, Kind), start: Timestamp, took: Duration) -> Self {
        let attributes = vec![
            ("posthaste.event.id", Value::Shared(Arc::clone(&event.key.id))),
            ("posthaste.event.type", Value::Shared(Arc::clone(&event.event_type))),
            ("posthaste.tenant", Value::Shared(Arc::clone(&event.key.tenant))),
        ];
        Self { place, name, kind, start, end: clock::after(start, took), attributes, error: None }
    }

    pub(super) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.attributes.push((name, value));
        self
    }
}
