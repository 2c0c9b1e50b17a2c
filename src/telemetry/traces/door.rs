//! Door 2, when spans are made.

use std::sync::Arc;

use async_trait::async_trait;

use super::span::{Kind, Span, Value};
use super::{Spans, between};
use crate::model::clock::{self, Timestamp};
use crate::model::event::Event;
use crate::model::keyed::{KeyedRequest, Taken};
use crate::model::trace::{SpanId, TraceContext};
use crate::ports::{BackendError, Door};

/// Tells of each event that is accepted, and leaves that span as the event's trace, so that whoever goes on with it knows that it was told.
pub(super) struct TracedDoor {
    pub(super) inner: Arc<dyn Door>,
    pub(super) spans: Arc<Spans>,
}

impl TracedDoor {
    /// The span of an event's acceptance, which has just begun, if its trace is sampled.
    fn begin(&self, event: &mut Event, now: Timestamp) -> Option<Span> {
        let way = self.spans.way_of(event);
        if !way.is_sampled() {
            return None;
        }
        let place = way.place(SpanId::of_acceptance(&event.key), way.before);
        event.traceparent = Some(TraceContext { trace_id: place.trace_id, span_id: place.span_id, flags: place.flags });
        let span = Span::about(event, place, ("accept", Kind::Server), event.accepted_at, between(event.accepted_at, now));
        Some(span.with("posthaste.door", Value::Literal("http")))
    }

    fn begin_all(&self, events: &mut [Event]) -> Vec<(usize, Span)> {
        let now = clock::now();
        (0..).zip(events).filter_map(|(at, event)| Some((at, self.begin(event, now)?))).collect()
    }

    /// Whether each event was new, or why none was accepted.
    fn end_all(&self, begun: Vec<(usize, Span)>, accepted: Result<&[bool], &BackendError>) {
        let now = clock::now();
        for (at, mut span) in begun {
            span.end = now.max(span.start);
            match accepted {
                Ok(new) => span = span.with("posthaste.new", Value::Flag(new.get(at).copied().unwrap_or_default())),
                Err(error) => span.error = Some(error.to_string()),
            }
            self.spans.put(span);
        }
    }
}

#[async_trait]
impl Door for TracedDoor {
    async fn accept(&self, mut events: Vec<Event>) -> Result<Vec<bool>, BackendError> {
        let begun = self.begin_all(&mut events);
        let accepted = self.inner.accept(events).await;
        self.end_all(begun, accepted.as_deref());
        accepted
    }

    async fn accept_keyed(&self, request: KeyedRequest, mut events: Vec<Event>) -> Result<Taken, BackendError> {
        let begun = self.begin_all(&mut events);
        let taken = self.inner.accept_keyed(request, events).await;
        match &taken {
            Ok(Taken::Now(new)) => self.end_all(begun, Ok(new)),
            // Nothing was accepted, or it was before.
            Ok(Taken::Before(_) | Taken::OtherBody | Taken::Running) => {}
            Err(error) => self.end_all(begun, Err(error)),
        }
        taken
    }
}
