//! A collector of spans: a receiver that reads OTLP with the official types.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as Wire;
use prost::Message as _;

use super::eventually::{LONG, eventually};
use super::receiver::Receiver;
use super::world::Setup;

const PATH: &str = "/v1/traces";

/// Takes everything until it has a script.
pub(crate) struct Collector(pub(crate) Receiver);

/// What a test looks at. Ids are hex; a root has an empty parent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 1 internal, 2 server, 3 client, 5 consumer.
    pub(crate) kind: i32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) flags: u32,
    /// Numbers as they are spelled.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) error: Option<String>,
    /// What made it.
    pub(crate) resource: BTreeMap<String, String>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self(Receiver::start().await)
    }

    /// As `tracing.otlp_endpoint` has it.
    pub(crate) fn url(&self) -> String {
        self.0.url("")
    }

    /// A program that exports to it.
    pub(crate) fn of(&self, setup: Setup) -> Setup {
        setup.set("POSTHASTE__TRACING__OTLP_ENDPOINT", &self.url())
    }

    /// What it was sent so far, in the order of arrival.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for request in self.0.requests_to(PATH) {
            let exported = ExportTraceServiceRequest::decode(request.body.clone()).expect("OTLP");
            for of_resource in exported.resource_spans {
                let resource = attributes(&of_resource.resource.expect("whose spans they are").attributes);
                let own = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(own.map(|span| read(span, &resource)));
            }
        }
        spans
    }

    /// Those about that event, once there are so many, the earliest first.
    pub(crate) async fn spans_of(&self, event_id: &str, count: usize) -> Vec<Span> {
        let mut spans = eventually(LONG, async || {
            let own: Vec<_> = self.spans().into_iter().filter(|span| span.attribute("posthaste.event.id") == event_id).collect();
            (own.len() >= count).then_some(own)
        })
        .await;
        spans.sort_by_key(|span| span.start);
        spans
    }
}

impl Span {
    /// Empty when it is missing.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// What a request carries as `traceparent` for being made in this span.
    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

fn read(span: Wire, resource: &BTreeMap<String, String>) -> Span {
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    let error = span.status.filter(|status| status.code == 2).map(|status| status.message);
    Span {
        trace_id: hex::encode(span.trace_id),
        span_id: hex::encode(span.span_id),
        parent: hex::encode(span.parent_span_id),
        name: span.name,
        kind: span.kind,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        flags: span.flags,
        attributes: attributes(&span.attributes),
        error,
        resource: resource.clone(),
    }
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: Option<&Value>| match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("{other:?}"),
    };
    let read: BTreeMap<_, _> =
        all.iter().map(|one| (one.key.clone(), text(one.value.as_ref().and_then(|value| value.value.as_ref())))).collect();
    assert_eq!(read.len(), all.len(), "a name stands once: {all:?}");
    read
}
