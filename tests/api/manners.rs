//! What holds for every call.

use reqwest::Method;
use serde_json::{Value, json};

use super::problem;
use crate::harness::{World, both_modes};

async fn send(world: &World, method: Method, path: &str, content_type: &str, body: &str) -> (u16, String) {
    let request = world.api.client.request(method, format!("{}{path}", world.app.url())).header("Content-Type", content_type);
    let answer = request.body(body.to_owned()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

both_modes! {
    async fn health_says_yes_and_ready_names_the_parts(setup: Setup) {
        let world = setup.await;
        world.api.get("/health").await.expect(200);
        let ready = world.api.get("/ready").await.expect(200);
        assert!(ready["parts"].as_array().unwrap().contains(&json!("process")), "{ready}");
    }

    async fn a_path_or_method_that_does_not_exist_is_a_problem(setup: Setup) {
        let world = setup.await;
        problem(&world.api.get("/nowhere").await, 404);
        problem(&world.api.get("/api/webhooks/nowhere").await, 404);
        problem(&world.api.delete("/api/webhooks/deliveries").await, 405);
        problem(&world.api.call(Method::PUT, "/api/webhooks/endpoints/1", &json!({})).await, 405);
        problem(&world.api.post("/health", &Value::Null).await, 405);
    }

    async fn a_body_that_is_not_json_is_a_problem_that_says_where(setup: Setup) {
        let world = setup.await;
        for path in ["/api/webhooks/events", "/api/webhooks/endpoints"] {
            for body in ["", "nonsense", r#"{"name": "a""#, r#"{"name": "a"} and more"#, "7", "\"text\""] {
                let (status, text) = send(&world, Method::POST, path, "application/json", body).await;
                assert_eq!(status, 400, "{path} {body}: {text}");
            }
            let (status, text) = send(&world, Method::POST, path, "text/plain", "{}").await;
            assert_eq!(status, 415, "{path}: {text}");
        }
    }

    async fn a_body_that_is_too_large_is_413(setup: Setup) {
        let world = setup.set("POSTHASTE__HTTP__MAX_BODY_BYTES", "2000").await;
        let body = format!("{{\"name\": \"{}\"}}", "x".repeat(3000));
        for path in ["/api/webhooks/events", "/api/webhooks/endpoints"] {
            let (status, text) = send(&world, Method::POST, path, "application/json", &body).await;
            assert_eq!(status, 413, "{path}: {text}");
        }
    }

    async fn times_are_rfc_3339_in_utc(setup: Setup) {
        let world = setup.await;
        let id = world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        let delivery = world.api.ended("e").await;
        let endpoint = world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200);
        for value in [&delivery["created_at"], &delivery["last_attempt_at"], &delivery["attempts"][0]["at"], &endpoint["created_at"], &endpoint["updated_at"]] {
            let text = value.as_str().unwrap();
            assert!(text.ends_with('Z') && text.contains('T') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_alone_answers_probes_and_no_calls() {
    let world = World::production().await;
    let worker = world.another("worker").await;
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(worker.api().get(path).await.status, 200, "{path}");
    }
    for path in ["/api/webhooks/stats", "/api/webhooks/endpoints"] {
        problem(&worker.api().get(path).await, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_alone_takes_events_and_a_worker_alone_delivers_them() {
    let mut world = World::production().await;
    world.app.kill();
    let api = world.another("api").await;
    api.api().register(&world.receiver.url("/"), &json!({})).await;
    api.api().send_id("e").await;
    assert_eq!(world.receiver.count(), 0);
    let _worker = world.another("worker").await;
    assert_eq!(api.api().ended("e").await["status"], "delivered");
}
