//! What holds for all calls: probes, tokens, methods, types, outages, time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use tower::ServiceExt as _;

use super::fakes::{FakeObserve, FakeReadiness};
use super::{ACME, ADMIN, World, request};
use crate::api::{Api, router, router_within};

const EVENT: &str = r#"{"id":"e","event_type":"a","data":1}"#;

#[tokio::test]
async fn readiness_names_each_part_that_is_away_and_health_looks_at_nothing() {
    let world = World::with_tokens();
    assert_eq!(world.get("/ready").await.status, 200);
    *world.readiness.redis_trouble.lock().expect("a lock") = Some("connection refused".into());
    assert_eq!(world.get("/ready").await.problem(503), ["redis"]);
    assert_eq!(world.get("/health").await.status, 200);
}

#[tokio::test]
async fn metrics_are_text() {
    let answer = World::with_tokens().get("/metrics").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "webhook_queue_size 0\n"));
    assert!(answer.header(header::CONTENT_TYPE).starts_with("text/plain; version=0.0.4"));
}

#[tokio::test]
async fn a_worker_answers_probes_alone() {
    let api = || Api { readiness: Arc::new(FakeReadiness::default()), observe: Arc::new(FakeObserve), calls: None };
    for (path, status) in [("/health", 200), ("/ready", 200), ("/metrics", 200), ("/api/webhooks/endpoints", 404)] {
        let answer = router(api()).oneshot(request("GET", path, None, "")).await.expect("a router never fails");
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_right_token_there_is_no_access() {
    let world = World::with_tokens();
    for path in ["/api/webhooks/endpoints", "/api/webhooks/stats", "/api/nothing"] {
        let answer = world.get(path).await;
        answer.problem(401);
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer realm=\"posthaste\"");
    }
    let answer = world.with("wrong-token-0123456789", "GET", "/api/webhooks/stats", "").await;
    answer.problem(401);
    assert!(answer.header(header::WWW_AUTHENTICATE).contains("invalid_token"));
    for token in [ADMIN, ACME] {
        assert_eq!(world.with(token, "GET", "/api/webhooks/stats", "").await.status, 200);
    }
    let mut basic = request("GET", "/api/webhooks/stats", None, "");
    basic.headers_mut().insert(header::AUTHORIZATION, "Basic YTpi".parse().expect("a value"));
    world.send(basic).await.problem(401);
}

#[tokio::test]
async fn unknown_paths_methods_and_types_are_problems() {
    let world = World::default();
    for path in ["/", "/nothing", "/api/webhooks/nothing", "/api/webhooks"] {
        world.get(path).await.problem(404);
    }
    let answer = world.send(request("PUT", "/api/webhooks/endpoints/1", None, "{}")).await;
    answer.problem(405);
    for method in ["GET", "PATCH", "DELETE"] {
        assert!(answer.header(header::ALLOW).contains(method), "{}", answer.header(header::ALLOW));
    }
    let answer = world.get("/api/webhooks/deliveries/1/retry").await;
    answer.problem(405);
    assert_eq!(answer.header(header::ALLOW), "POST");
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let mut plain = Request::builder().method("POST").uri("/api/webhooks/events").body(Body::from(EVENT)).expect("a request");
        if let Some(kind) = kind {
            plain.headers_mut().insert(header::CONTENT_TYPE, kind.parse().expect("a value"));
        }
        world.send(plain).await.problem(415);
    }
}

#[tokio::test]
async fn an_outage_is_503_and_gives_nothing_away() {
    let world = World::default();
    *world.door.away.lock().expect("a lock") = true;
    let answer = world.post("/api/webhooks/events", EVENT).await;
    answer.problem(503);
    assert_eq!(answer.header(header::RETRY_AFTER), "5");
    assert!(!answer.body.contains("hunter2") && !answer.body.contains("db.internal"), "{}", answer.body);
}

#[tokio::test]
async fn a_refusal_is_500_and_gives_nothing_away() {
    let world = World::default();
    *world.records.broken.lock().expect("a lock") = true;
    let answer = world.get("/api/webhooks/stats").await;
    answer.problem(500);
    assert!(!answer.body.contains("secret_query"), "{}", answer.body);
}

#[tokio::test]
async fn no_request_hangs_for_ever() {
    let world = World::default();
    *world.door.stuck.lock().expect("a lock") = true;
    let router = router_within(world.api(), Duration::from_millis(10));
    let answer = router.oneshot(request("POST", "/api/webhooks/events", None, EVENT)).await.expect("a router never fails");
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
}
