//! The `webhooks` section: the request that receivers get. Its example is signed with a secret that everybody knows, and a
//! test verifies it.

use serde_json::{Value, json};

/// The secret of the examples in the text of Standard Webhooks. No endpoint's.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const DELIVERY: &str = "019b7ca9-8c88-8f3a-9c41-5d2e7b000007";
/// The exact bytes that [`PLAIN`] and [`STANDARD`] sign.
const BODY: &str = concat!(
    r#"{"id":"order-1042-created","event_type":"order.created","data":{"order":1042,"total":"99.90"},"#,
    r#""timestamp":1767323045.5,"source":"shop","version":"1.0"}"#
);
const AT: &str = "1767323046";
const PLAIN: &str = "sha256=6055509f2b3fcdc9e84df1685ead1b5b6fd82d56d72a7c97bfcfc2d92b33249a";
const STANDARD: &str = "v1,x1ywl/CMOne2Y3cXsshc04BorXdhHYkLM2aLBfhrh/0=";

/// Name, schema, example, and what it is.
fn headers() -> Vec<(&'static str, Value, Value, &'static str)> {
    let text = || json!({"type": "string"});
    vec![
        ("User-Agent", text(), concat!("Posthaste/", env!("CARGO_PKG_VERSION")).into(), "`Posthaste/<version>`"),
        (
            "X-Webhook-Signature",
            json!({"type": "string", "pattern": "^sha256=[0-9a-f]{64}$"}),
            PLAIN.into(),
            "`sha256=` and the lower-case hex of HMAC-SHA256 over the body. The key is the UTF-8 bytes of the secret as it was shown, `whsec_` included.",
        ),
        ("X-Webhook-Event", json!({"type": "string", "pattern": "^[A-Za-z0-9_./-]{1,255}$"}), "order.created".into(), "The event type."),
        (
            "X-Webhook-Delivery",
            json!({"type": "string", "format": "uuid"}),
            DELIVERY.into(),
            "The delivery's id; the same on every attempt.",
        ),
        ("X-Webhook-Attempt", json!({"type": "integer", "minimum": 1}), 1.into(), "1, 2, 3 …"),
        ("X-Webhook-Timestamp", json!({"type": "integer"}), 1_767_323_046.into(), "Unix seconds of this attempt."),
        ("X-Webhook-Test", json!({"const": "true"}), "true".into(), "On test deliveries only."),
        (
            "traceparent",
            json!({"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
            "The trace that the attempt belongs to (W3C Trace Context), where the event has one.",
        ),
        ("webhook-id", json!({"type": "string", "pattern": "^[!-~]{1,255}$"}), "order-1042-created".into(), "The event's id."),
        ("webhook-timestamp", json!({"type": "integer"}), 1_767_323_046.into(), "The same seconds as `X-Webhook-Timestamp`."),
        (
            "webhook-signature",
            json!({"type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$"}),
            STANDARD.into(),
            "Standard Webhooks 1.0.0: `v1,<base64>` over `{id}.{timestamp}.{body}`. While a rotated secret is still valid, one entry for each valid secret, newest first, separated by spaces.",
        ),
    ]
}

fn body() -> Value {
    json!({
        "type": "object",
        "description": "Compact JSON with its keys in this order: `id`, `event_type`, `data`, `timestamp`, `source`, `version`.",
        "required": ["id", "event_type", "data", "timestamp", "source", "version"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "pattern": "^[!-~]{1,255}$", "description": "The event's id. The same event has it on every attempt and at every endpoint."},
            "event_type": {"type": "string", "pattern": "^[A-Za-z0-9_./-]{1,255}$"},
            "data": {"description": "As it was enqueued: key order, number spelling and escapes are kept."},
            "timestamp": {"type": "number", "description": "When the event happened, in Unix seconds."},
            "source": {"type": "string"},
            "version": {"type": "string"},
        },
    })
}

pub(super) fn section() -> Value {
    let parameters: Vec<_> = headers()
        .into_iter()
        .map(|(name, schema, example, description)| {
            let required = !["X-Webhook-Test", "traceparent"].contains(&name);
            json!({"name": name, "in": "header", "required": required, "description": description, "schema": schema, "example": example})
        })
        .collect();
    let example: Value = serde_json::from_str(BODY).unwrap_or_default();
    json!({
        "event": {
            "post": {
                "operationId": "receiveEvent",
                "tags": ["Receivers"],
                "summary": "An event is delivered",
                "description": description(),
                "parameters": parameters,
                "requestBody": {"required": true, "content": {"application/json": {"schema": body(), "example": example}}},
                "responses": responses(),
            },
        },
    })
}

fn description() -> String {
    let known = [("{secret}", SECRET), ("{body}", BODY), ("{at}", AT), ("{plain}", PLAIN), ("{standard}", STANDARD)];
    known.iter().fold(include_str!("receivers.md").to_owned(), |text, (name, value)| text.replace(name, value))
}

fn responses() -> Value {
    let slowed = "A failed attempt. The endpoint is slowed down too, for `Retry-After` where it is given: seconds or an HTTP date, at most `retry.max_delay`.";
    json!({
        "2XX": {"description": "Delivered. At most 64 KiB of an answer is read; the first 1,000 characters are kept."},
        "410": {"description": "The delivery has failed, and the endpoint is disabled with that reason."},
        "429": {"description": slowed},
        "502": {"description": slowed},
        "503": {"description": slowed},
        "504": {"description": slowed},
        "default": {"description": "A failed attempt. Redirects are never followed."},
    })
}
