//! An event: one thing that happened, and the request body it becomes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::clock::{self, Timestamp};
use crate::model::trace::TraceContext;
use crate::model::{json, validate};

/// The tenant of everything that names none.
pub static DEFAULT_TENANT: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("default"));

/// Names one event: the same tenant and id through any door, any number of times, is one event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    pub tenant: Arc<str>,
    pub id: Arc<str>,
}

impl EventKey {
    /// `tenant/id`. A tenant has no slash, so the first one ends it.
    #[must_use]
    pub fn to_member(&self) -> String {
        format!("{}/{}", self.tenant, self.id)
    }

    /// The inverse of [`EventKey::to_member`].
    #[must_use]
    pub fn from_member(member: &str) -> Option<Self> {
        let (tenant, id) = member.split_once('/')?;
        if validate::tenant(tenant).is_err() || validate::event_id(id).is_err() {
            return None;
        }
        Some(Self { tenant: intern_tenant(tenant), id: Arc::from(id) })
    }
}

/// Nearly all events are of one tenant: they share its name.
#[must_use]
pub fn intern_tenant(name: &str) -> Arc<str> {
    if name == &**DEFAULT_TENANT { Arc::clone(&DEFAULT_TENANT) } else { Arc::from(name) }
}

/// One event, valid, with its request body already made.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub key: EventKey,
    pub event_type: Arc<str>,
    pub source: String,
    pub version: String,
    /// Unix seconds: when it happened, as the application says.
    pub timestamp: f64,
    /// When Posthaste took it in; the ids of its deliveries start with it.
    pub accepted_at: Timestamp,
    /// The trace that it goes on with.
    pub traceparent: Option<TraceContext>,
    /// What every endpoint gets: compact JSON, keys in the order of the contract.
    pub body: Bytes,
    data: Range<usize>,
}

/// The fields of an event, each already valid: what [`Event::new`] makes one from.
#[derive(Debug)]
pub struct EventFields<'a> {
    pub key: EventKey,
    pub event_type: Arc<str>,
    /// Valid JSON no deeper than [`json::MAX_DEPTH`].
    pub data: &'a str,
    pub source: String,
    pub version: String,
    pub timestamp: f64,
    pub accepted_at: Timestamp,
    pub traceparent: Option<TraceContext>,
}

impl Event {
    /// Makes an event and its body. The fields are taken as valid.
    #[must_use]
    pub fn new(fields: EventFields<'_>) -> Self {
        let (body, data) = render(&fields);
        let EventFields { key, event_type, source, version, timestamp, accepted_at, traceparent, .. } = fields;
        Self { key, event_type, source, version, timestamp, accepted_at, traceparent, body, data }
    }

    /// The event's `data`: JSON text without white space between tokens.
    #[must_use]
    pub fn data(&self) -> &str {
        // The range was cut out of a String at token borders, so it is UTF-8.
        std::str::from_utf8(&self.body[self.data.clone()]).unwrap_or("null")
    }
}

/// `{"id":…,"event_type":…,"data":…,"timestamp":…,"source":…,"version":…}` and where `data` lies in it.
fn render(fields: &EventFields<'_>) -> (Bytes, Range<usize>) {
    let data = json::compact(fields.data);
    let mut body = Vec::with_capacity(data.len() + 192);
    body.extend_from_slice(b"{\"id\":");
    push_json(&mut body, &*fields.key.id);
    body.extend_from_slice(b",\"event_type\":");
    push_json(&mut body, &*fields.event_type);
    body.extend_from_slice(b",\"data\":");
    let start = body.len();
    body.extend_from_slice(data.as_bytes());
    let end = body.len();
    body.extend_from_slice(b",\"timestamp\":");
    push_json(&mut body, &fields.timestamp);
    body.extend_from_slice(b",\"source\":");
    push_json(&mut body, &fields.source);
    body.extend_from_slice(b",\"version\":");
    push_json(&mut body, &fields.version);
    body.push(b'}');
    (Bytes::from(body), start..end)
}

fn push_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    #[expect(clippy::expect_used, reason = "strings and finite floats always serialize, and writing to a Vec cannot fail")]
    serde_json::to_writer(out, value).expect("strings and floats serialize");
}

/// Why something is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("too large: {bytes} bytes, and limits.max_event_bytes is {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("not an event: {0}")]
    NotJson(String),
    #[error("{field}: {message}")]
    Field { field: &'static str, message: String },
}

impl Rejection {
    fn field(field: &'static str) -> impl Fn(String) -> Self {
        move |message| Self::Field { field, message }
    }

    /// A word for metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotJson(_) => "not_json",
            Self::Field { .. } => "bad_field",
        }
    }
}

/// How an event is read: what its door allows, and what its fields default to.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub max_bytes: usize,
    /// When it came in.
    pub accepted_at: Timestamp,
    /// The id of an event that carries none. Without it `id` is required.
    pub new_id: Option<fn() -> String>,
    /// The tenant the door is bound to. An event that names another is refused.
    pub tenant: Option<&'a str>,
    /// The trace of an event that brings none.
    pub traceparent: Option<TraceContext>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    id: Option<String>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    timestamp: Option<f64>,
    source: Option<String>,
    version: Option<String>,
    tenant: Option<String>,
    /// Of whatever type: one that is wrong does not count, as fields that nobody knows.
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
}

/// Reads one event from JSON text.
///
/// # Errors
/// A [`Rejection`] that says which field is wrong and what would be right.
pub fn parse(entry: &[u8], reading: Reading<'_>) -> Result<Event, Rejection> {
    if entry.len() > reading.max_bytes {
        return Err(Rejection::TooLarge { bytes: entry.len(), limit: reading.max_bytes });
    }
    let text = std::str::from_utf8(entry).map_err(|error| Rejection::NotJson(format!("not UTF-8 ({error})")))?;
    // serde would read the fields from an array as well, by their places.
    if text.trim_ascii_start().starts_with('[') {
        return Err(Rejection::NotJson("not a JSON object".into()));
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|error| diagnose(text, &error))?;
    let id = match (wire.id, reading.new_id) {
        (Some(id), _) => id,
        (None, Some(new_id)) => new_id(),
        (None, None) => return Err(Rejection::Field { field: "id", message: "is required: 1 to 255 visible ASCII characters".into() }),
    };
    validate::event_id(&id).map_err(Rejection::field("id"))?;
    validate::event_type(&wire.event_type).map_err(Rejection::field("event_type"))?;
    if json::too_deep(wire.data.get()) {
        return Err(Rejection::Field { field: "data", message: format!("nests deeper than {} levels", json::MAX_DEPTH) });
    }
    let source = wire.source.unwrap_or_default();
    validate::storable(&source).map_err(Rejection::field("source"))?;
    let version = wire.version.unwrap_or_else(|| "1.0".into());
    validate::storable(&version).map_err(Rejection::field("version"))?;
    Ok(Event::new(EventFields {
        key: EventKey { tenant: tenant(wire.tenant, reading.tenant)?, id: id.into() },
        event_type: wire.event_type.into(),
        data: wire.data.get(),
        source,
        version,
        timestamp: wire.timestamp.unwrap_or_else(|| clock::unix_seconds(reading.accepted_at)),
        accepted_at: reading.accepted_at,
        traceparent: wire.traceparent.and_then(traceparent).or(reading.traceparent),
    }))
}

fn traceparent(given: &RawValue) -> Option<TraceContext> {
    let text: Cow<'_, str> = serde_json::from_str(given.get()).ok()?;
    TraceContext::parse(&text)
}

fn tenant(given: Option<String>, bound: Option<&str>) -> Result<Arc<str>, Rejection> {
    match (given, bound) {
        (Some(given), Some(bound)) if given != bound => {
            Err(Rejection::Field { field: "tenant", message: "is not the tenant of this token: leave it out".into() })
        }
        (None, bound) => Ok(bound.map_or_else(|| Arc::clone(&DEFAULT_TENANT), intern_tenant)),
        (Some(given), _) => {
            validate::tenant(&given).map_err(Rejection::field("tenant"))?;
            Ok(intern_tenant(&given))
        }
    }
}

/// Finds the field behind a parse error: the fast path only knows that there is one.
fn diagnose(text: &str, error: &serde_json::Error) -> Rejection {
    let Ok(fields) = serde_json::from_str::<std::collections::HashMap<Cow<'_, str>, &RawValue>>(text) else {
        return Rejection::NotJson(if error.is_data() { "not a JSON object".into() } else { format!("invalid JSON ({error})") });
    };
    let wrong = |field, message: &str| Rejection::Field { field, message: message.into() };
    for field in ["id", "event_type", "source", "version", "tenant"] {
        match fields.get(field) {
            None if field == "event_type" => return wrong(field, "is required: 1 to 255 of A-Z a-z 0-9 _ - . /"),
            Some(raw) if serde_json::from_str::<String>(raw.get()).is_err() => return wrong(field, "must be a string"),
            _ => {}
        }
    }
    match (fields.get("data"), fields.get("timestamp")) {
        (None, _) => wrong("data", "is required: any JSON value"),
        (_, Some(raw)) if serde_json::from_str::<f64>(raw.get()).is_err() => wrong("timestamp", "must be Unix seconds, a number"),
        _ => Rejection::NotJson(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Reading<'static> {
        Reading { max_bytes: 4096, accepted_at: clock::from_unix_seconds(1_763_757_300.5), new_id: None, tenant: None, traceparent: None }
    }

    fn read(entry: &str) -> Result<Event, Rejection> {
        parse(entry.as_bytes(), reading())
    }

    fn body(event: &Event) -> &str {
        std::str::from_utf8(&event.body).expect("UTF-8")
    }

    #[test]
    fn the_body_is_compact_and_keeps_the_bytes_of_data() {
        let event = read(
            r#"{"timestamp": 1763757296.12, "id": "e1", "event_type": "order.created", "unknown": [],
               "data": {"b": 1.0, "a": 1e3, "n": 12345678901234567890, "é": "\u00e9 x"}, "source": "shop", "version": "2"}"#,
        )
        .expect("valid");
        assert_eq!(
            body(&event),
            r#"{"id":"e1","event_type":"order.created","data":{"b":1.0,"a":1e3,"n":12345678901234567890,"é":"\u00e9 x"},"timestamp":1763757296.12,"source":"shop","version":"2"}"#
        );
        assert_eq!(event.data(), r#"{"b":1.0,"a":1e3,"n":12345678901234567890,"é":"\u00e9 x"}"#);
    }

    #[test]
    fn optional_fields_have_the_defaults_of_the_contract() {
        let event = read(r#"{"id":"e1","event_type":"a","data":null}"#).expect("valid");
        assert_eq!(body(&event), r#"{"id":"e1","event_type":"a","data":null,"timestamp":1763757300.5,"source":"","version":"1.0"}"#);
        assert_eq!(&*event.key.tenant, "default");
    }

    #[test]
    fn what_is_not_an_event_is_refused_with_the_field() {
        let table = [
            ("nonsense", "not an event: invalid JSON"),
            ("[1]", "not an event: not a JSON object"),
            (r#" ["e","a",1,null,null,null,null]"#, "not an event: not a JSON object"),
            (r#"{"event_type":"a","data":1}"#, "id: is required"),
            (r#"{"id":"e","data":1}"#, "event_type: is required"),
            (r#"{"id":"e","event_type":"a"}"#, "data: is required"),
            (r#"{"id":7,"event_type":"a","data":1}"#, "id: must be a string"),
            (r#"{"id":"","event_type":"a","data":1}"#, "id: "),
            (r#"{"id":"a b","event_type":"a","data":1}"#, "id: "),
            (r#"{"id":"é","event_type":"a","data":1}"#, "id: "),
            (r#"{"id":"e","event_type":"a b","data":1}"#, "event_type: "),
            (r#"{"id":"e","event_type":"a","data":1,"timestamp":"x"}"#, "timestamp: must be Unix seconds"),
            (r#"{"id":"e","event_type":"a","data":1,"source":"\u0000"}"#, "source: "),
            (r#"{"id":"e","event_type":"a","data":1,"tenant":"a/b"}"#, "tenant: "),
        ];
        for (entry, start) in table {
            let error = read(entry).expect_err(entry).to_string();
            assert!(error.starts_with(start), "{entry}: {error}");
        }
        assert!(matches!(
            read(&format!("{{\"id\":\"e\",\"event_type\":\"a\",\"data\":\"{}\"}}", "x".repeat(5000))),
            Err(Rejection::TooLarge { .. })
        ));
        assert!(parse(b"\xff", reading()).is_err());
    }

    #[test]
    fn timestamps_keep_every_digit_of_a_double() {
        for spelled in ["1763757296.1234567", "1763757296.12", "0.1", "1732140800.000001"] {
            let event = read(&format!(r#"{{"id":"e","event_type":"a","data":1,"timestamp":{spelled}}}"#)).expect("valid");
            assert!(body(&event).contains(&format!("\"timestamp\":{spelled},")), "{}", body(&event));
        }
    }

    #[test]
    fn a_traceparent_that_is_none_does_not_count() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let with = |field: &str| format!(r#"{{"id":"e","event_type":"a","data":1{field}}}"#);
        let of_door = Reading { traceparent: TraceContext::parse("00-11111111111111111111111111111111-2222222222222222-00"), ..reading() };
        let read = |field: &str| parse(with(field).as_bytes(), of_door).expect(field).traceparent;
        assert_eq!(read(&format!(r#","traceparent":"{given}""#)), TraceContext::parse(given));
        assert_eq!(read(&format!(r#","traceparent":"\u0030{}""#, &given[1..])), TraceContext::parse(given));
        for none in ["", r#","traceparent":null"#, r#","traceparent":7"#, r#","traceparent":{"a":[]}"#, r#","traceparent":"nonsense""#] {
            assert_eq!(read(none), of_door.traceparent, "{none}");
        }
        assert_eq!(super::tests::read(&with("")).expect("valid").traceparent, None);
        assert_eq!(
            body(&parse(with(&format!(r#","traceparent":"{given}""#)).as_bytes(), of_door).expect("valid")),
            body(&super::tests::read(&with("")).expect("valid"))
        );
    }

    #[test]
    fn a_bound_door_refuses_another_tenant() {
        let bound = Reading { tenant: Some("acme"), ..reading() };
        let event = parse(br#"{"id":"e","event_type":"a","data":1}"#, bound).expect("valid");
        assert_eq!(&*event.key.tenant, "acme");
        assert!(parse(br#"{"id":"e","event_type":"a","data":1,"tenant":"other"}"#, bound).is_err());
    }

    #[test]
    fn members_come_back_as_the_key_they_were() {
        let key = EventKey { tenant: Arc::from("acme"), id: Arc::from("a/b/c") };
        assert_eq!(EventKey::from_member(&key.to_member()), Some(key));
        assert_eq!(EventKey::from_member("nothing"), None);
    }
}
