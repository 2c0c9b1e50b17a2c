use axum::http::header;
use serde_json::json;

use super::{ACME, ADMIN, World};
use crate::model::delivery::Totals;

const PATH: &str = "/api/webhooks/endpoints";
const SHOP: &str = r#"{"name":"shop","url":"https://example.com/hooks","event_types":["order.*"]}"#;

#[tokio::test]
async fn a_registration_answers_the_endpoint_with_its_secret_and_nothing_else_does() {
    let world = World::default();
    let answer = world.post(PATH, SHOP).await;
    assert_eq!(answer.status, 201);
    assert_eq!((answer.header(header::LOCATION), answer.header(header::CACHE_CONTROL)), ("/api/webhooks/endpoints/1", "no-store"));
    let body = answer.json();
    assert_eq!((body["id"].clone(), body["secret"].clone()), (json!(1), json!("whsec_bWFkZQ==")));
    assert_eq!((body["tenant"].clone(), body["timeout"].clone(), body["is_active"].clone()), (json!("default"), json!(30.0), json!(true)));
    assert_eq!(body["event_types"], json!(["order.*"]));
    let created_at = body["created_at"].as_str().expect("a time");
    assert_eq!((created_at.len(), &created_at[26..]), ("2026-01-02T03:04:05.123456Z".len(), "Z"));
    for path in [PATH.to_owned(), format!("{PATH}/1")] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains("secret") && !answer.body.contains("whsec_"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_wrong_registration_names_every_field() {
    let world = World::default();
    assert_eq!(world.post(PATH, r#"{"url":"ftp://x/","event_types":[]}"#).await.problem(400), ["name", "url", "event_types"]);
    for (body, field) in [
        (r#"{"name":"n","url":"https://a/","event_types":["*"],"timeout":"long"}"#, "timeout"),
        (r#"{"name":"n","url":"https://a/","event_types":"*"}"#, "event_types"),
        (r#"{"name":"n","url":"https://a/","event_types":["*"],"headers":{"a":1}}"#, "headers.a"),
        (r#"{"name":"n","url":"https://a/","event_types":["*"],"colour":1}"#, "colour"),
    ] {
        assert_eq!(world.post(PATH, body).await.problem(400), [field], "{body}");
    }
    assert!(world.post(PATH, "{\n,}").await.body.contains("line 2 column 1"));
    assert!(world.post(PATH, "7").await.problem(400).is_empty());
    assert!(world.catalog.endpoints.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn a_change_touches_what_it_names_alone() {
    let world = World::default();
    world.post(PATH, SHOP).await;
    let answer = world.send(super::request("PATCH", "/api/webhooks/endpoints/1", None, r#"{"is_active":false,"in_flight":3}"#)).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!((body["is_active"].clone(), body["in_flight"].clone(), body["name"].clone()), (json!(false), json!(3), json!("shop")));
    let answer = world.send(super::request("PATCH", "/api/webhooks/endpoints/1", None, r#"{"secret":"12345678"}"#)).await;
    assert_eq!(answer.problem(400), ["secret"]);
}

#[tokio::test]
async fn a_removed_endpoint_is_gone() {
    let world = World::default();
    world.post(PATH, SHOP).await;
    for status in [204, 404] {
        assert_eq!(world.send(super::request("DELETE", "/api/webhooks/endpoints/1", None, "")).await.status, status);
    }
    for path in ["/api/webhooks/endpoints/1", "/api/webhooks/endpoints/none"] {
        assert!(world.get(path).await.problem(404).is_empty());
    }
}

#[tokio::test]
async fn the_list_carries_totals_and_goes_on_at_its_cursor() {
    let world = World::default();
    *world.records.totals.lock().expect("a lock") = Totals { total: 5, delivered: 3, failed: 1, avg_response_time: 0.1 };
    for _ in 0..3 {
        world.post(PATH, SHOP).await;
    }
    let first = world.get(&format!("{PATH}?limit=2")).await.json();
    let item = &first["items"][0];
    assert_eq!(item["id"], 3);
    assert_eq!(
        (item["total_deliveries_24h"].clone(), item["successful_deliveries_24h"].clone(), item["success_rate_24h"].clone()),
        (json!(5), json!(3), json!(75.0))
    );
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = world.get(&format!("{PATH}?limit=2&cursor={cursor}")).await.json();
    assert_eq!((second["items"][0]["id"].clone(), second["next_cursor"].clone()), (json!(1), json!(null)));
}

#[tokio::test]
async fn wrong_parameters_are_all_named() {
    let world = World::default();
    let answer = world.get(&format!("{PATH}?limit=501&cursor=x&colour=red")).await;
    assert_eq!(answer.problem(400), ["colour", "limit", "cursor"]);
    for limit in ["0", "-1", "many", ""] {
        assert_eq!(world.get(&format!("{PATH}?limit={limit}")).await.problem(400), ["limit"]);
    }
}

#[tokio::test]
async fn a_bound_token_sees_and_touches_its_tenant_alone() {
    let world = World::with_tokens();
    assert_eq!(world.with(ADMIN, "POST", PATH, SHOP).await.json()["tenant"], "default");
    assert_eq!(world.with(ACME, "POST", PATH, SHOP).await.json()["tenant"], "acme");
    let list = world.with(ACME, "GET", PATH, "").await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(world.with(ACME, method, "/api/webhooks/endpoints/1", "{}").await.status, 404, "{method}");
        assert!(world.with(ACME, method, "/api/webhooks/endpoints/2", "{}").await.status.is_success(), "{method}");
    }
    assert_eq!(world.with(ACME, "GET", &format!("{PATH}?tenant=other"), "").await.problem(400), ["tenant"]);
    let named = SHOP.replace('{', r#"{"tenant":"other","#);
    assert_eq!(world.with(ACME, "POST", PATH, &named).await.problem(400), ["tenant"]);
}
