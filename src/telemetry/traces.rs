//! Spans of the way that events take, exported by OTLP over HTTP.
//!
//! Who makes a span puts it into a bounded queue and goes on; what does not fit is lost, and counted. One task exports.
//! Protobuf is written by hand (`encode`), and by tests read with the official types: it takes a hundred lines, and neither a
//! runtime of its own nor a thread, as OpenTelemetry's SDK does, which also would not let ids follow from what they name.

mod door;
mod encode;
mod export;
mod lost;
mod span;

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::door::TracedDoor;
use self::export::Exporter;
use self::lost::Lost;
use self::span::{Kind, Place, Span, Value};
use crate::config::TracingSettings;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::event::Event;
use crate::model::outcome::Outcome;
use crate::model::trace::{SpanId, TraceContext, TraceId};
use crate::ports::{Attempted, Door, Matched, Observe, Traces};

pub use self::export::ExportError;

/// Spans that wait for the exporter at most: some megabytes.
const QUEUE: usize = 8192;
/// How long the last spans may take when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The export of spans, while the process runs.
pub struct Collecting {
    spans: Arc<Spans>,
    stop: CancellationToken,
    exporting: TaskTracker,
}

impl Collecting {
    /// Starts exporting, if there is a collector; `more_roots` are trusted besides those of the system, and `observe` is told of spans that
    /// are lost.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn start(
        settings: &TracingSettings,
        more_roots: &[CertificateDer<'static>],
        observe: &Arc<dyn Observe>,
    ) -> Result<Option<Self>, ExportError> {
        let Some(collector) = &settings.collector else { return Ok(None) };
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (lost, stop, exporting) = (Arc::new(Lost::new(Arc::clone(observe))), CancellationToken::new(), TaskTracker::new());
        let exporter = Exporter::new(settings, collector.clone(), more_roots, waiting, Arc::clone(&lost))?;
        exporting.spawn(exporter.run(stop.clone()));
        exporting.close();
        tracing::info!(collector = %collector, sample = settings.sample, "spans are exported");
        Ok(Some(Self { spans: Arc::new(Spans { queue, lost, sample: settings.sample }), stop, exporting }))
    }

    #[must_use]
    pub fn traces(&self) -> Arc<dyn Traces> {
        Arc::clone(&self.spans) as Arc<dyn Traces>
    }

    /// The door of the API, which tells of what it accepts.
    pub fn door(&self, inner: Arc<dyn Door>) -> Arc<dyn Door> {
        Arc::new(TracedDoor { inner, spans: Arc::clone(&self.spans) })
    }

    /// Exports what is left, for at most two seconds.
    pub async fn finish(self) {
        self.stop.cancel();
        if timeout(LAST_SPANS, self.exporting.wait()).await.is_err() {
            tracing::warn!("the last spans could not be exported in time");
        }
    }
}

/// [`Traces`] into the queue.
struct Spans {
    queue: mpsc::Sender<Span>,
    lost: Arc<Lost>,
    sample: f64,
}

/// How the spans of an event are related to one another.
struct Way {
    trace_id: TraceId,
    /// The span that caused the event, or the one in which it was accepted.
    before: Option<SpanId>,
    flags: u8,
}

impl Way {
    fn is_sampled(&self) -> bool {
        self.flags & TraceContext::SAMPLED != 0
    }

    fn place(&self, span_id: SpanId, parent: Option<SpanId>) -> Place {
        Place { trace_id: self.trace_id, span_id, parent, flags: self.flags }
    }
}

impl Spans {
    fn put(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.lost.add(1);
        }
    }

    fn way_of(&self, event: &Event) -> Way {
        match event.traceparent {
            Some(given) => Way { trace_id: given.trace_id, before: Some(given.span_id), flags: given.flags },
            None => {
                let trace_id = TraceId::of_event(event.accepted_at, &event.key);
                let flags = if trace_id.is_within(self.sample) { TraceContext::SAMPLED } else { 0 };
                Way { trace_id, before: None, flags }
            }
        }
    }
}

fn between(start: Timestamp, end: Timestamp) -> Duration {
    (end - start).to_std().unwrap_or_default()
}

impl Traces for Spans {
    fn matched(&self, matched: Matched<'_>) {
        let Matched { event, accepted, since, endpoints } = matched;
        let way = self.way_of(event);
        if !way.is_sampled() {
            return;
        }
        let acceptance = SpanId::of_acceptance(&event.key);
        // The door of the API leaves its own span as the event's trace.
        if way.before != Some(acceptance) {
            let (place, took) = (way.place(acceptance, way.before), between(event.accepted_at, since));
            let door = if accepted { "records" } else { "list" };
            let span = Span::about(event, place, ("accept", Kind::Consumer), event.accepted_at, took);
            self.put(span.with("posthaste.door", Value::Literal(door)));
        }
        let place = way.place(SpanId::of_routing(&event.key), Some(acceptance));
        let span = Span::about(event, place, ("route", Kind::Internal), since, between(since, clock::now()));
        self.put(span.with("posthaste.endpoints", Value::from(endpoints as u64)));
    }

    fn of_attempt(&self, event: &Event, delivery: DeliveryId, number: u32) -> TraceContext {
        let way = self.way_of(event);
        match event.traceparent {
            Some(given) if !way.is_sampled() => given,
            _ => TraceContext { trace_id: way.trace_id, span_id: SpanId::of_attempt(delivery, number), flags: way.flags },
        }
    }

    fn attempted(&self, attempted: Attempted<'_>) {
        let way = self.way_of(attempted.event);
        if way.is_sampled() {
            let parent = SpanId::of_routing(&attempted.event.key);
            self.put(span_of(attempted, way.place(SpanId::of_attempt(attempted.delivery, attempted.number), Some(parent))));
        }
    }
}

/// As OpenTelemetry's conventions for HTTP clients have it, and what we know besides.
fn span_of(attempted: Attempted<'_>, place: Place) -> Span {
    let Attempted { event, endpoint, delivery, number, attempt } = attempted;
    let mut url = endpoint.spec.url.clone();
    // What identifies the endpoint is before these; what is in them may be a secret.
    url.set_query(None);
    url.set_fragment(None);
    let mut span = Span::about(event, place, ("POST", Kind::Client), attempt.started_at, attempt.took)
        .with("posthaste.delivery.id", Value::Text(delivery.to_string()))
        .with("posthaste.endpoint.id", Value::Number(endpoint.id))
        .with("posthaste.endpoint.name", Value::Text(endpoint.spec.name.clone()))
        .with("posthaste.attempt", Value::from(u64::from(number)))
        .with("posthaste.outcome", Value::Literal(attempt.outcome.class()))
        .with("http.request.method", Value::Literal("POST"))
        .with("server.address", Value::Text(url.host_str().unwrap_or_default().to_owned()))
        .with("server.port", Value::from(u64::from(url.port_or_known_default().unwrap_or_default())))
        .with("url.full", Value::Text(url.into()));
    if number > 1 {
        span = span.with("http.request.resend_count", Value::from(u64::from(number - 1)));
    }
    let error_type = match &attempt.outcome {
        Outcome::Answered(answer) => {
            span = span.with("http.response.status_code", Value::from(u64::from(answer.status)));
            Value::Text(answer.status.to_string())
        }
        Outcome::Failed(failure) => Value::Literal(failure.kind.as_str()),
    };
    if let Some(error) = attempt.outcome.error() {
        span = span.with("error.type", error_type);
        span.error = Some(error);
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MetricsSettings;
    use crate::model::event::{self, Reading};
    use crate::telemetry::metrics::Metrics;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

    fn spans(room: usize, sample: f64) -> (Spans, mpsc::Receiver<Span>) {
        let (queue, waiting) = mpsc::channel(room);
        let metrics = Metrics::new(MetricsSettings { max_endpoints: 1, max_event_types: 1 });
        (Spans { queue, lost: Arc::new(Lost::new(Arc::new(metrics))), sample }, waiting)
    }

    fn event(flags: Option<&str>) -> Event {
        let traceparent = flags.and_then(|flags| TraceContext::parse(&format!("{GIVEN}-{flags}")));
        let reading = Reading { max_bytes: 4096, accepted_at: clock::now(), new_id: None, tenant: None, traceparent };
        event::parse(br#"{"id":"e","event_type":"a","data":1}"#, reading).expect("an event")
    }

    fn route(spans: &Spans, event: &Event) {
        spans.matched(Matched { event, accepted: false, since: clock::now(), endpoints: 1 });
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted() {
        let (spans, mut waiting) = spans(3, 1.0);
        for _ in 0..4 {
            route(&spans, &event(None));
        }
        let mut taken = Vec::new();
        while let Ok(span) = waiting.try_recv() {
            taken.push(span.name);
        }
        assert_eq!((taken, spans.lost.take(), spans.lost.take()), (vec!["accept", "route", "accept"], 5, 0));
    }

    #[test]
    fn an_event_whose_acceptance_was_told_is_only_routed() {
        let (spans, mut waiting) = spans(3, 1.0);
        let mut told = event(Some("01"));
        let own = SpanId::of_acceptance(&told.key);
        told.traceparent = told.traceparent.map(|given| TraceContext { span_id: own, ..given });
        route(&spans, &told);
        let only = waiting.try_recv().expect("a span");
        assert_eq!((only.name, only.place.parent, waiting.try_recv().is_err()), ("route", Some(own), true));
    }

    #[test]
    fn the_flag_of_a_trace_that_is_brought_decides_and_else_the_sample() {
        for (sample, flags, made) in [(0.0, Some("01"), 2), (0.0, None, 0), (1.0, Some("00"), 0), (1.0, None, 2)] {
            let (spans, waiting) = spans(9, sample);
            route(&spans, &event(flags));
            assert_eq!(waiting.len(), made, "{sample} {flags:?}");
        }
    }
}
