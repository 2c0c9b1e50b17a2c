//! What the API says of endpoints that are left alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use crate::ports::{Pause, Pauses, Why};

const ONE: &str = "/api/webhooks/endpoints/1";
const MINUTE: Duration = Duration::from_secs(60);

async fn registered() -> World {
    let world = World::default();
    let body = r#"{"name":"shop","url":"https://example.com/hooks","event_types":["*"]}"#;
    assert_eq!(world.post("/api/webhooks/endpoints", body).await.status, 201);
    world
}

fn pauses(world: &World, revision: u64, paused: Vec<Pause>) {
    *world.pacing.pauses.lock().expect("a lock") = Some(Pauses { revision, paused });
}

fn broken(lasts: Duration, probing: bool) -> Pause {
    Pause { endpoint_id: 1, why: Why::Broken, lasts, probing, times: 3 }
}

async fn breaker(world: &World) -> Value {
    world.get(ONE).await.json()["breaker"].clone()
}

#[tokio::test]
async fn the_breaker_of_an_endpoint_is_closed_open_or_half_open() {
    let world = registered().await;
    pauses(&world, 1, vec![]);
    assert_eq!(breaker(&world).await, json!({"state": "closed", "pauses": 0}));
    pauses(&world, 2, vec![broken(MINUTE, false)]);
    let open = breaker(&world).await;
    assert_eq!((&open["state"], &open["pauses"]), (&json!("open"), &json!(3)));
    let until = chrono::DateTime::parse_from_rfc3339(open["until"].as_str().expect("a time")).expect("RFC 3339");
    let left = until.to_utc() - chrono::Utc::now();
    assert!((55..=60).contains(&left.num_seconds()), "{left}");
    for pause in [broken(MINUTE, true), broken(Duration::ZERO, false)] {
        pauses(&world, if pause.probing { 3 } else { 4 }, vec![pause]);
        assert_eq!(breaker(&world).await, json!({"state": "half_open", "pauses": 3}));
    }
}

#[tokio::test]
async fn a_list_shows_it_too_and_that_an_endpoint_asked_to_be_left_alone() {
    let world = registered().await;
    pauses(&world, 2, vec![Pause { endpoint_id: 1, why: Why::Slowed, lasts: MINUTE, probing: false, times: 0 }]);
    let shown = world.get("/api/webhooks/endpoints").await.json()["items"][0]["breaker"].clone();
    assert_eq!(shown["state"], "closed");
    assert!(shown["slowed_until"].is_string(), "{shown}");
}

#[tokio::test]
async fn all_of_it_is_read_only_when_it_changed() {
    let world = registered().await;
    pauses(&world, 2, vec![broken(MINUTE, false)]);
    let router = crate::api::router(world.api());
    for revision in [2, 2, 2, 3, 3] {
        pauses(&world, revision, vec![broken(MINUTE, false)]);
        world.send_to(router.clone(), super::request("GET", ONE, None, "")).await;
    }
    assert_eq!(*world.pacing.reads.lock().expect("a lock"), 2);
}

#[tokio::test]
async fn a_queue_that_is_away_leaves_the_state_open_and_the_rest_shown() {
    let world = registered().await;
    let shown = world.get(ONE).await.json();
    assert_eq!((&shown["name"], &shown["breaker"]), (&json!("shop"), &Value::Null));
}
