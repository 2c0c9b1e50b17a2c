//! What bodies and answers look like.

use serde_json::{Value, json};

/// An example of the schema of that name.
pub(super) fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "Accepted" => json!({"ids": ["order-1042-created"], "id": "order-1042-created"}),
        "Attempt" => attempt(),
        "Breaker" => json!({"state": "closed", "pauses": 0}),
        "DeadLetter" => dead_letter(),
        "DeadLetterIds" => json!({"ids": ["17641", "17642"]}),
        "DeadLetters" => json!({"items": [dead_letter()], "next_cursor": null, "total": 1}),
        "Delivery" => delivery(),
        "DeliveryWithAttempts" => with(delivery(), json!({"attempts": [attempt()]})),
        "Diagnosis" => diagnosis(),
        "Dropped" => json!({"dropped": 2}),
        "Endpoint" => endpoint(),
        "EndpointChange" => {
            json!({"event_types": ["order.*", "refund.created"], "timeout": 10, "rate_limit": {"max_requests": 100, "window": 1}})
        }
        "Event" => event(),
        "Events" => event(),
        "EventWithDeliveries" => with(
            listed_event(),
            json!({"data": {"order": 1042, "total": "99.90"}, "data_bytes": 30, "deliveries": [delivery()], "next_cursor": null}),
        ),
        "Health" => json!({"status": "ok"}),
        "ListedEndpoint" => listed(),
        "ListedEvent" => listed_event(),
        "List_Delivery" | "List_DeliveryJson" => json!({"items": [delivery()], "next_cursor": null}),
        "List_ListedEvent" | "List_EventJson" => json!({"items": [listed_event()], "next_cursor": null}),
        "List_Run" | "List_RunJson" => json!({"items": [run()], "next_cursor": null}),
        "List_ListedEndpoint" => json!({"items": [listed()], "next_cursor": null}),
        "Ready" => json!({"status": "ready", "parts": ["process", "redis", "postgres"]}),
        "RegisteredEndpoint" => with(endpoint(), json!({"secret": super::receivers::SECRET})),
        "Registration" => json!({"name": "Shop", "url": "https://shop.example/hooks", "event_types": ["order.*"]}),
        "Requeued" => json!({"requeued": 1, "refused": [{"id": "17642", "reason": "event_type: must be 1 to 255 of A-Z a-z 0-9 _ - . /"}]}),
        "Retried" => json!({"retried": 12}),
        "RetryWindow" => json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}),
        "RotatedSecret" => {
            json!({"id": 7, "secret": super::receivers::SECRET, "earlier_secrets_until": ["2026-01-03T03:04:05.000000Z"]})
        }
        "Rotation" => json!({"overlap_seconds": 3600}),
        "Run" => run(),
        "StartedRun" => json!({"run": run()}),
        "Stats" => json!({
            "total_deliveries": 1204, "successful_deliveries": 1200, "failed_deliveries": 2, "success_rate": 99.83,
            "avg_response_time": 0.081, "period_hours": 24,
        }),
        "TestEvent" => event(),
        "TestResult" => json!({
            "success": true, "status_code": 200, "response_time": 0.081, "response_body": "ok",
            "test_event": with(event(), json!({"timestamp": 1_767_323_045.5, "version": "1.0"})),
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

fn listed_event() -> Value {
    json!({
        "id": "order-1042-created", "tenant": "default", "event_type": "order.created", "source": "shop", "version": "1.0",
        "timestamp": 1_767_323_045.5, "created_at": "2026-01-02T03:04:05.900000Z", "routed_at": "2026-01-02T03:04:06.000000Z",
        "set_aside": null,
    })
}

fn run() -> Value {
    json!({
        "id": "019b7ca9-9c10-7d20-8e11-6a2f4b000001", "kind": "retry_failed", "status": "running", "tenant": "default", "endpoint_id": 7,
        "since": null, "until": null, "done": 2000, "refused": 0, "total": 48211, "error": null,
        "created_at": "2026-01-02T03:04:05.000000Z", "updated_at": "2026-01-02T03:04:09.000000Z", "finished_at": null,
    })
}

fn dead_letter() -> Value {
    json!({
        "id": "17641", "reason": "not JSON: expected value at line 1 column 1", "at": "2026-01-02T03:04:05.000000Z", "entry": "order 1042",
        "size": 10, "cut": false,
    })
}

fn diagnosis() -> Value {
    json!({
        "endpoint_id": 7, "endpoint_name": "Shop", "is_active": true,
        "issues": ["the receiver's certificate expires in 3 days"],
        "recommendations": ["renew it: once it has expired, every attempt fails"],
        "recent_delivery_count": 10, "failed_delivery_count": 0, "avg_response_time": 0.081, "waiting_delivery_count": 0,
        "breaker": {"state": "closed", "pauses": 0}, "rate_limit": null,
        "way": {
            "addresses": [{"address": "203.0.113.7", "blocked": null}], "connect_time": 0.021,
            "certificate_expires_at": "2026-01-05T03:04:05.000000Z", "head_status": 405, "head_time": 0.034, "failed_step": null, "error": null,
        },
    })
}

fn attempt() -> Value {
    json!({
        "number": 1, "at": "2026-01-02T03:04:06.120000Z", "response_status": 200, "response_body": "ok", "response_time": 0.081,
        "error_message": null,
    })
}
