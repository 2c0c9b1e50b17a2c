//! The calls that try an endpoint out.

use serde_json::json;

use super::{ACME, ADMIN, World};
use crate::model::outcome::{Failure, FailureKind, Outcome};

const TEST: &str = "/api/webhooks/1/test";
const DIAGNOSE: &str = "/api/webhooks/1/diagnose";
const SHOP: &str = r#"{"name":"shop","url":"https://example.com/hooks","event_types":["*"]}"#;

async fn registered() -> World {
    let world = World::default();
    assert_eq!(world.post("/api/webhooks/endpoints", SHOP).await.status, 201);
    world
}

#[tokio::test]
async fn a_test_answers_what_the_receiver_did_and_what_it_got() {
    let world = registered().await;
    let answer = world.post(TEST, r#"{"event_type":"order.created","data":{"n":1.0},"id":"mine","timestamp":7}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let event = r#""test_event":{"id":"mine","event_type":"order.created","data":{"n":1.0},"timestamp":7.0,"source":"","version":"1.0"}"#;
    let answered = r#""success":true,"status_code":200,"response_time":0.005,"response_body":"thanks""#;
    assert_eq!(answer.body, format!("{{{answered},{event}}}"));
    let failure = Failure { kind: FailureKind::Refused, detail: "nobody listens".into() };
    *world.checks.outcome.lock().expect("a lock") = Some(Outcome::Failed(failure));
    let failed = world.post(TEST, "").await.json();
    assert_eq!((&failed["success"], &failed["error"]), (&json!(false), &json!("connection refused: nobody listens")));
    assert_eq!((&failed["test_event"]["event_type"], &failed["test_event"]["id"]), (&json!("test_event"), &json!("made")));
    assert_eq!(failed.as_object().map(serde_json::Map::len), Some(3));
}

#[tokio::test]
async fn a_test_event_that_is_wrong_is_named_and_nothing_is_sent() {
    let world = registered().await;
    assert_eq!(world.post(TEST, r#"{"event_type":"a b","data":1}"#).await.problem(400), ["event_type"]);
    assert_eq!(world.post(TEST, r#"{"event_type":"a","data":1,"tenant":"other"}"#).await.problem(400), ["tenant"]);
    world.post(TEST, "[]").await.problem(400);
    assert_eq!(world.post(TEST, &format!(r#"{{"event_type":"a","data":"{}"}}"#, "x".repeat(2000))).await.problem(413), ["event"]);
}

#[tokio::test]
async fn an_endpoint_of_somebody_else_is_not_there() {
    let world = World::with_tokens();
    world.with(ADMIN, "POST", "/api/webhooks/endpoints", SHOP).await;
    for path in [TEST, DIAGNOSE, "/api/webhooks/99/test", "/api/webhooks/x/diagnose"] {
        let method = if path.ends_with("test") { "POST" } else { "GET" };
        world.with(ACME, method, path, "").await.problem(404);
    }
    assert_eq!(world.with(ADMIN, "POST", TEST, "").await.status, 200);
}

#[tokio::test]
async fn a_diagnosis_has_the_fields_of_the_contract() {
    let found = registered().await.get(DIAGNOSE).await.json();
    assert_eq!(found["endpoint_id"], 1);
    assert_eq!(found["endpoint_name"], "shop");
    assert_eq!(found["is_active"], true);
    for field in ["issues", "recommendations"] {
        assert_eq!(found[field], json!([]), "{found}");
    }
    for field in ["recent_delivery_count", "failed_delivery_count"] {
        assert_eq!(found[field], 0, "{found}");
    }
    assert!(found.get("avg_response_time").is_some_and(serde_json::Value::is_null), "{found}");
}
