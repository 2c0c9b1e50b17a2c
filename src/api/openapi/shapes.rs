//! Shapes that no type of the API carries whole: what requests may hold, in JSON Schema as strict as the code that reads them,
//! and what comes from `model`.

use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::events::MAX_EVENTS;
use crate::model::delivery::Status;
use crate::model::endpoint::RESERVED_HEADERS;

const EVENT_TYPE: &str = "^[A-Za-z0-9_./-]{1,255}$";
/// An event type, `*`, or a prefix ending in `.*`.
const EVENT_PATTERN: &str = r"^(\*|[A-Za-z0-9_./-]{1,254}\.\*|[A-Za-z0-9_./-]{1,255})$";
const NO_NUL: &str = r"^[^\u0000]*$";
/// No U+0000, and something besides white space.
const NAME: &str = concat!(r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]", r"[^\u0000]*$");
/// After `whsec_`, base64 with its padding.
const SECRET: &str = concat!(
    "^((?!whsec_|sealed:)[!-~]+|whsec_([A-Za-z0-9+/]{4})*",
    "([A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=))$"
);
const MAX_SECONDS: u32 = 31_536_000;

/// Names a schema of [`by_hand`] where a handler or a view refers to it.
macro_rules! named {
    ($($shape:ident)*) => {$(
        pub(in crate::api) struct $shape;
        impl ToSchema for $shape {}
        impl PartialSchema for $shape {
            fn schema() -> RefOr<Schema> {
                Object::new().into()
            }
        }
    )*};
}

named! {
    DeadLetterIds DeliveryStatus Document EndpointChange Events RateLimit Registration Rotation RunKind RunStatus Step Tenant TestEvent
    TestResult Time
}

/// `components.schemas` that are written here.
pub(super) fn by_hand() -> Vec<(&'static str, Value)> {
    vec![
        ("DeadLetterIds", dead_letter_ids()),
        ("DeliveryStatus", delivery_status()),
        (
            "Document",
            json!({"type": "object", "description": "An OpenAPI 3.1 document.", "required": ["openapi", "info", "paths", "webhooks"]}),
        ),
        ("EndpointChange", change()),
        ("Event", event()),
        ("Events", events()),
        ("Problem", problem()),
        ("RateLimit", rate_limit()),
        ("Registration", registration()),
        ("Rotation", rotation()),
        ("RunKind", json!({"type": "string", "enum": ["retry_failed", "requeue_dead_letters"]})),
        ("RunStatus", json!({"type": "string", "enum": ["running", "done", "cancelled", "failed"]})),
        ("Step", json!({"type": "string", "enum": ["url", "resolve", "connect", "tls", "head"]})),
        ("Tenant", json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"})),
        ("TestEvent", test_event()),
        ("TestResult", test_result()),
        ("Time", json!({"type": "string", "format": "date-time"})),
    ]
}

fn delivery_status() -> Value {
    json!({
        "type": "string",
        "enum": Status::ALL.map(Status::as_str),
        "description": "`pending`: no attempt was recorded yet; `retrying`: at least one failed, and another will follow.",
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "Which kind of problem, for programs."},
            "title": {"type": "string", "description": "The same for people."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong with this request, and what to do."},
            "errors": {
                "type": "array",
                "description": "Everything that is wrong, by field.",
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": {
                        "field": {"type": "string", "description": "A JSON field, a parameter, or a part that is away."},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "description": "One thing that happened. Unknown fields are ignored.",
        "required": ["event_type", "data"],
        "properties": {
            "id": {"type": ["string", "null"], "pattern": "^[!-~]{1,255}$", "description": "Names the event within its tenant. Made (UUIDv7) when it is left out."},
            "event_type": {"type": "string", "pattern": EVENT_TYPE},
            "data": {"description": "Any JSON, nested at most 512 levels deep."},
            "timestamp": {"type": ["number", "null"], "description": "When it happened, in Unix seconds; the time of arrival when it is left out."},
            "source": {"type": ["string", "null"], "pattern": NO_NUL, "default": ""},
            "version": {"type": ["string", "null"], "pattern": NO_NUL, "default": "1.0"},
            "tenant": tenant("`default`, or that of the token, when it is left out."),
            "traceparent": {"description": "The trace that it goes on with (W3C Trace Context), which receivers get too; without one, that of the header `traceparent`. What is no `traceparent` is ignored."},
        },
    })
}

/// Its tenant can only be that of the endpoint.
fn test_event() -> Value {
    let mut event = event();
    event["description"] = "The event to send. `tenant` can be left out; if it is there, it must be that of the endpoint.".into();
    if let Some(properties) = event["properties"].as_object_mut() {
        properties.remove("tenant");
    }
    event
}

fn test_result() -> Value {
    let sent = json!({"type": "object", "description": "The body that was sent."});
    let success = json!({"type": "boolean", "description": "Whether it would count as delivered."});
    json!({
        "description": "An answer, or the reason why there is none.",
        "oneOf": [
            {
                "type": "object",
                "required": ["success", "status_code", "response_time", "response_body", "test_event"],
                "properties": {
                    "success": success,
                    "status_code": {"type": "integer"},
                    "response_time": {"type": "number", "description": "Seconds."},
                    "response_body": {"type": "string", "description": "The first 1,000 characters."},
                    "test_event": sent,
                },
                "not": {"required": ["error"]},
            },
            {
                "type": "object",
                "required": ["success", "error", "test_event"],
                "properties": {
                    "success": {"const": false},
                    "error": {"type": "string", "description": "Why there is no answer."},
                    "test_event": sent,
                },
            },
        ],
    })
}

fn dead_letter_ids() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "ids": {
                "type": ["array", "null"], "minItems": 1, "maxItems": 100,
                "items": {"type": "string", "pattern": "^[A-Za-z0-9]{1,64}$"},
                "description": "Without it, all of them.",
            },
        },
    })
}

fn rotation() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "secret": secret(),
            "overlap_seconds": {
                "type": ["number", "null"], "minimum": 0, "maximum": 2_592_000,
                "description": "How long the secret before goes on to sign; 86,400 when it is left out.",
            },
        },
    })
}

fn secret() -> Value {
    json!({
        "type": ["string", "null"], "minLength": 8, "maxLength": 512, "pattern": SECRET,
        "description": "What requests are signed with. After `whsec_` it must be base64. One is made when it is left out.",
    })
}

fn events() -> Value {
    let event = json!({"$ref": "#/components/schemas/Event"});
    json!({
        "description": "One event, or several.",
        "oneOf": [event, {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": event}],
    })
}

fn tenant(description: &str) -> Value {
    json!({"type": ["string", "null"], "pattern": "^[A-Za-z0-9_.-]{1,64}$", "description": description})
}

fn rate_limit() -> Value {
    json!({
        "type": "object",
        "description": "How many requests within how many seconds it takes.",
        "required": ["max_requests", "window"],
        "additionalProperties": false,
        "properties": {
            "max_requests": {"type": "integer", "minimum": 1, "maximum": u32::MAX},
            "window": {"type": "number", "minimum": 0.001, "maximum": 86_400, "description": "Seconds."},
        },
    })
}

/// A registration: what a change may name, and what is given once.
fn registration() -> Value {
    let mut properties = settings(false);
    properties.insert("tenant".into(), tenant("`default`, or that of the token, when it is left out."));
    properties.insert("secret".into(), secret());
    let required = ["name", "url", "event_types"];
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

fn change() -> Value {
    json!({
        "type": "object",
        "description": "What is left out stays; `null` takes `retry_schedule`, `rate_limit` and `in_flight` away, and leaves others as they are.",
        "additionalProperties": false,
        "properties": settings(true),
    })
}

/// What an endpoint's owner chooses.
fn settings(every_one_may_be_null: bool) -> Map<String, Value> {
    let text = if every_one_may_be_null { json!(["string", "null"]) } else { json!("string") };
    let list = if every_one_may_be_null { json!(["array", "null"]) } else { json!("array") };
    let fields = json!({
        "name": {"type": text, "minLength": 1, "maxLength": 255, "pattern": NAME, "description": "For people: more than white space."},
        "url": {
            "type": text, "format": "uri", "maxLength": 2048, "pattern": "^https?://[!-~]+$",
            "description": "Where requests go: `https://` or `http://`, without user and password.",
        },
        "event_types": {
            "type": list, "minItems": 1, "maxItems": 1000, "items": {"type": "string", "pattern": EVENT_PATTERN},
            "description": "The same string, `*` (everything), or a prefix ending in `.*`: `order.*` matches `order.created`, not `order`.",
        },
        "headers": {
            "type": ["object", "null"], "maxProperties": 50,
            "propertyNames": {"pattern": header_names()},
            "additionalProperties": {"type": "string", "pattern": r"^[\t -~]*$"},
            "description": "Sent with every request. Those that Posthaste or the connection sets are refused.",
        },
        "timeout": {
            "type": ["number", "null"], "minimum": 0.001, "maximum": 3600,
            "description": "One deadline in seconds for everything: resolve, connect, TLS, send, head and body.",
        },
        "max_retries": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "description": "How many attempts a delivery has."},
        "retry_delay": {
            "type": ["number", "null"], "minimum": 0, "maximum": MAX_SECONDS,
            "description": "Seconds before the second attempt; doubled for each further one.",
        },
        "retry_schedule": {
            "oneOf": [
                {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "number", "minimum": 0, "maximum": MAX_SECONDS}},
                {"const": "standard"},
                {"type": "null"},
            ],
            "description": "Seconds before each further attempt, instead of `max_retries` and `retry_delay`. `\"standard\"` stands for 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400.",
        },
        "rate_limit": {"oneOf": [{"$ref": "#/components/schemas/RateLimit"}, {"type": "null"}]},
        "in_flight": {
            "type": ["integer", "null"], "minimum": 1, "maximum": 10_000,
            "description": "How many requests may run at once; `limits.endpoint_in_flight` without it.",
        },
        "is_active": {"type": ["boolean", "null"], "description": "Whether it gets events."},
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Header names (RFC 9110) but those that cannot be replaced, whatever their case.
fn header_names() -> String {
    let any_case = |name: &&str| -> String {
        let letter = |c: char| if c.is_ascii_alphabetic() { format!("[{}{c}]", c.to_ascii_uppercase()) } else { c.to_string() };
        name.chars().map(letter).collect()
    };
    let reserved: Vec<_> = RESERVED_HEADERS.iter().map(any_case).collect();
    format!("^(?!({})$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$", reserved.join("|"))
}
