//! What bodies and answers look like.

use serde_json::{Value, json};

/// An example of the schema of that name.
pub(super) fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "Accepted" => json!({"ids": ["order-1042-created"], "id": "order-1042-created"}),
        "Attempt" => attempt(),
        "Breaker" => json!({"state": "closed", "pauses": 0}),
        "Delivery" => delivery(),
        "DeliveryWithAttempts" => with(delivery(), json!({"attempts": [attempt()]})),
        "Endpoint" => endpoint(),
        "EndpointChange" => {
            json!({"event_types": ["order.*", "refund.created"], "timeout": 10, "rate_limit": {"max_requests": 100, "window": 1}})
        }
        "Event" => event(),
        "Events" => event(),
        "Health" => json!({"status": "ok"}),
        "ListedEndpoint" => listed(),
        "List_Delivery" | "List_DeliveryJson" => json!({"items": [delivery()], "next_cursor": null}),
        "List_ListedEndpoint" => json!({"items": [listed()], "next_cursor": null}),
        "Ready" => json!({"status": "ready", "parts": ["process", "redis", "postgres"]}),
        "RegisteredEndpoint" => with(endpoint(), json!({"secret": super::receivers::SECRET})),
        "Registration" => json!({"name": "Shop", "url": "https://shop.example/hooks", "event_types": ["order.*"]}),
        "Retried" => json!({"retried": 12}),
        "RetryWindow" => json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}),
        "Stats" => json!({
            "total_deliveries": 1204, "successful_deliveries": 1200, "failed_deliveries": 2, "success_rate": 99.83,
            "avg_response_time": 0.081, "period_hours": 24,
        }),
        _ => return None,
    })
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn event() -> Value {
    json!({"id": "order-1042-created", "event_type": "order.created", "data": {"order": 1042, "total": "99.90"}, "source": "shop"})
}

fn endpoint() -> Value {
    json!({
        "id": 7, "tenant": "default", "name": "Shop", "url": "https://shop.example/hooks", "event_types": ["order.*"], "headers": {},
        "timeout": 30.0, "max_retries": 3, "retry_delay": 60.0, "retry_schedule": null, "rate_limit": null, "in_flight": null,
        "is_active": true, "disabled_reason": null, "failing_since": null, "breaker": {"state": "closed", "pauses": 0},
        "created_at": "2026-01-02T03:04:05.000000Z", "updated_at": "2026-01-02T03:04:05.000000Z",
    })
}

fn listed() -> Value {
    with(endpoint(), json!({"total_deliveries_24h": 120, "successful_deliveries_24h": 119, "success_rate_24h": 100.0}))
}

fn delivery() -> Value {
    json!({
        "id": super::receivers::DELIVERY, "tenant": "default", "event_id": "order-1042-created", "event_type": "order.created",
        "endpoint_id": 7, "endpoint_name": "Shop", "status": "delivered", "attempt_count": 1,
        "last_attempt_at": "2026-01-02T03:04:06.120000Z", "response_status": 200, "response_body": "ok", "response_time": 0.081,
        "error_message": null, "next_retry_at": null, "created_at": "2026-01-02T03:04:06.000000Z",
    })
}

fn attempt() -> Value {
    json!({
        "number": 1, "at": "2026-01-02T03:04:06.120000Z", "response_status": 200, "response_body": "ok", "response_time": 0.081,
        "error_message": null,
    })
}
