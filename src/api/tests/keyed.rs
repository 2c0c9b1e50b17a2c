//! `Idempotency-Key`: how it is read, and what the door's word for it is answered with.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, header};

use super::{ACME, ADMIN, Answer, World, request};
use crate::model::keyed::Taken;

const PATH: &str = "/api/webhooks/events";
const EVENT: &str = r#"{"event_type":"a","data":1}"#;

async fn send(world: &World, token: Option<&str>, keys: &[&str], body: &str) -> Answer {
    let mut request = request("POST", PATH, token, body);
    for key in keys {
        request.headers_mut().append("idempotency-key", HeaderValue::from_bytes(key.as_bytes()).expect("a value"));
    }
    world.send(request).await
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_before_anything_is_taken_in() {
    let world = World::default();
    let too_long = "x".repeat(256);
    for keys in [&[""][..], &["a b"], &["\"a"], &["café"], &[&too_long], &["a", "a"], &["a", "b"]] {
        let answer = send(&world, None, keys, EVENT).await;
        assert_eq!(answer.problem(400), ["Idempotency-Key"], "{keys:?}");
        assert!(answer.body.contains("1 to 255 visible ASCII") || answer.body.contains("send one"), "{}", answer.body);
    }
    assert!(world.door.accepted.lock().expect("a lock").is_empty() && world.door.keyed.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn the_doors_word_becomes_the_answer() {
    let world = World::default();
    assert_eq!(send(&world, None, &["k"], EVENT).await.json()["id"], "made");
    let before = || Some(Taken::Before(vec![Arc::from("first")]));
    *world.door.taken.lock().expect("a lock") = before();
    let answer = send(&world, None, &["k"], EVENT).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (202, serde_json::json!({"ids": ["first"], "id": "first"})));
    *world.door.taken.lock().expect("a lock") = before();
    assert_eq!(send(&world, None, &["k"], &format!("[{EVENT}]")).await.json(), serde_json::json!({"ids": ["first"]}));
    *world.door.taken.lock().expect("a lock") = Some(Taken::Running);
    let answer = send(&world, None, &["k"], EVENT).await;
    answer.problem(409);
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
    *world.door.taken.lock().expect("a lock") = Some(Taken::OtherBody);
    send(&world, None, &["k"], EVENT).await.problem(422);
}

#[tokio::test]
async fn what_is_wrong_with_the_events_is_said_before_the_key_is_looked_at() {
    let world = World::default();
    send(&world, None, &["k"], r#"{"event_type":"a"}"#).await.problem(400);
    let large = format!(r#"{{"event_type":"a","data":"{}"}}"#, "x".repeat(1000));
    send(&world, None, &["k"], &large).await.problem(413);
    assert!(world.door.keyed.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn a_key_is_one_tokens_and_of_key_and_body_only_hashes_go_on() {
    let world = World::with_tokens();
    for (token, key, body) in [
        (ADMIN, "k", EVENT),
        (ADMIN, "\"k\"", EVENT),
        (ADMIN, "k", r#"{"event_type":"a","data": 1}"#),
        (ACME, "k", EVENT),
        (ADMIN, "l", EVENT),
    ] {
        assert_eq!(send(&world, Some(token), &[key], body).await.status, 202);
    }
    let keyed = world.door.keyed.lock().expect("a lock");
    let [first, quoted, spelled, acme, other] = &keyed[..] else { panic!("{keyed:?}") };
    assert_eq!((quoted.key, quoted.body), (first.key, first.body));
    assert!(spelled.key == first.key && spelled.body != first.body);
    assert!(acme.key != first.key && other.key != first.key && acme.body == first.body);
    assert_eq!(
        (&*first.ids[0], first.at - first.since),
        ("made", chrono::TimeDelta::from_std(Duration::from_secs(3600)).expect("an hour"))
    );
}
