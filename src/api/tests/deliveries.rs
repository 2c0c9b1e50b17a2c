use std::sync::Arc;

use serde_json::json;

use super::{ACME, World};
use crate::model::clock;
use crate::model::delivery::{AttemptResult, AttemptView, DeliveryId, DeliveryView, Status, Totals};
use crate::model::event::EventKey;

const PATH: &str = "/api/webhooks/deliveries";

pub(super) fn delivery(second: u32) -> (DeliveryView, Vec<AttemptView>) {
    let at = clock::from_unix_seconds(1_763_757_296.5 + f64::from(second));
    let key = EventKey { tenant: Arc::from("default"), id: Arc::from("e1") };
    let view = DeliveryView {
        id: DeliveryId::of(at, &key, 7),
        tenant: "default".into(),
        event_id: "e1".into(),
        event_type: "order.created".into(),
        endpoint_id: 7,
        endpoint_name: "shop".into(),
        status: Status::Retrying,
        attempt_count: 1,
        last_attempt_at: Some(at),
        response_status: Some(503),
        response_body: Some("busy".into()),
        response_time: Some(0.25),
        error_message: Some("the receiver answered 503".into()),
        next_retry_at: None,
        created_at: at,
    };
    let result =
        AttemptResult { at, response_status: Some(503), response_body: None, response_time: 0.25, error_message: Some("503".into()) };
    (view, vec![AttemptView { number: 1, result }])
}

fn world() -> World {
    let world = World::default();
    *world.records.deliveries.lock().expect("a lock") = vec![delivery(2), delivery(1)];
    world
}

#[tokio::test]
async fn the_list_has_the_fields_of_the_contract_and_goes_on_at_its_cursor() {
    let world = world();
    let first = world.get(&format!("{PATH}?limit=1")).await.json();
    let item = &first["items"][0];
    for (field, wanted) in [
        ("event_id", json!("e1")),
        ("endpoint_id", json!(7)),
        ("endpoint_name", json!("shop")),
        ("event_type", json!("order.created")),
        ("status", json!("retrying")),
        ("attempt_count", json!(1)),
        ("response_status", json!(503)),
        ("response_time", json!(0.25)),
        ("created_at", json!("2025-11-21T20:34:58.500000Z")),
        ("error_message", json!("the receiver answered 503")),
    ] {
        assert_eq!(item[field], wanted, "{field}");
    }
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = world.get(&format!("{PATH}?limit=1&cursor={cursor}")).await.json();
    assert_eq!((second["items"][0]["id"].clone(), second["next_cursor"].clone()), (json!(delivery(1).0.id.to_string()), json!(null)));
}

#[tokio::test]
async fn filters_reach_the_records() {
    let world = world();
    let query =
        "endpoint_id=7&event_id=e%2F1&event_type=a.b&status=failed&since=2026-01-02T05:04:05%2B02:00&until=2026-01-03T00:00:00Z&tenant=t";
    assert_eq!(world.get(&format!("{PATH}?{query}")).await.status, 200);
    let asked = world.records.asked.lock().expect("a lock");
    assert_eq!((asked.endpoint_id, asked.event_id.as_deref(), asked.event_type.as_deref()), (Some(7), Some("e/1"), Some("a.b")));
    assert_eq!((asked.status, asked.tenant.as_deref()), (Some(Status::Failed), Some("t")));
    assert_eq!(asked.since.map(|at| at.to_rfc3339()).as_deref(), Some("2026-01-02T03:04:05+00:00"));
    assert!(asked.until.is_some());
}

#[tokio::test]
async fn wrong_filters_are_all_named() {
    let answer = world().get(&format!("{PATH}?endpoint_id=x&status=lost&since=yesterday&until=1&stauts=failed")).await;
    assert_eq!(answer.problem(400), ["stauts", "endpoint_id", "status", "since", "until"]);
}

#[tokio::test]
async fn a_single_delivery_carries_its_attempts() {
    let world = world();
    let id = delivery(1).0.id;
    let body = world.get(&format!("{PATH}/{id}")).await.json();
    assert_eq!(body["id"], json!(id.to_string()));
    let attempt = &body["attempts"][0];
    assert_eq!((attempt["number"].clone(), attempt["response_status"].clone()), (json!(1), json!(503)));
    assert_eq!(attempt["at"], "2025-11-21T20:34:57.500000Z");
    for unknown in ["none", "00000000-0000-8000-8000-000000000000"] {
        world.get(&format!("{PATH}/{unknown}")).await.problem(404);
    }
}

#[tokio::test]
async fn a_bound_token_sees_its_tenants_deliveries_alone() {
    let world = World { tokens: World::with_tokens().tokens, ..world() };
    world.with(ACME, "GET", &format!("{PATH}/{}", delivery(1).0.id), "").await.problem(404);
    world.with(ACME, "GET", PATH, "").await;
    assert_eq!(world.records.asked.lock().expect("a lock").tenant.as_deref(), Some("acme"));
}

#[tokio::test]
async fn stats_have_the_fields_of_the_contract() {
    let world = world();
    *world.records.totals.lock().expect("a lock") = Totals { total: 5, delivered: 3, failed: 1, avg_response_time: 0.5 };
    assert_eq!(
        world.get("/api/webhooks/stats").await.json(),
        json!({
            "total_deliveries": 5, "successful_deliveries": 3, "failed_deliveries": 1,
            "success_rate": 75.0, "avg_response_time": 0.5, "period_hours": 24,
        })
    );
    assert_eq!(world.get("/api/webhooks/stats?hours=1").await.json()["period_hours"], 1);
    for hours in ["0", "x", "99999"] {
        assert_eq!(world.get(&format!("/api/webhooks/stats?hours={hours}")).await.problem(400), ["hours"]);
    }
}
