use serde_json::json;

use super::deliveries::delivery;
use super::fakes::{Asked, away};
use super::{ACME, World};
use crate::model::clock;
use crate::model::delivery::Status;
use crate::ports::{Bulk, RetryError, Window};

const ALL: &str = "/api/webhooks/endpoints/7/retry-failed";

fn path() -> String {
    format!("/api/webhooks/deliveries/{}/retry", delivery(1).0.id)
}

impl World {
    async fn one_refused(&self, error: RetryError) -> super::Answer {
        *self.retries.one.lock().expect("a lock") = Some(Err(error));
        self.post(&path(), "").await
    }

    async fn all_refused(&self, error: RetryError) -> super::Answer {
        *self.retries.all.lock().expect("a lock") = Some(Err(error));
        self.post(ALL, "{}").await
    }
}

#[tokio::test]
async fn a_delivery_that_is_put_back_is_answered_as_it_waits() {
    let world = World::with_tokens();
    *world.retries.one.lock().expect("a lock") = Some(Ok(delivery(1).0));
    let answer = world.with(ACME, "POST", &path(), "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("retrying")));
    assert_eq!(*world.retries.asked.lock().expect("a lock"), [Asked::One(delivery(1).0.id, Some("acme".into()))]);
}

#[tokio::test]
async fn what_keeps_a_delivery_from_being_put_back_is_a_problem_that_says_so() {
    let world = World::default();
    for (error, words) in [
        (RetryError::NotFailed(Status::Delivered), "is delivered"),
        (RetryError::Disabled(7), "PATCH /api/webhooks/endpoints/7"),
        (RetryError::Removed(7), "removed"),
        (RetryError::EventGone, "gone"),
    ] {
        let answer = world.one_refused(error).await;
        answer.problem(409);
        assert!(answer.json()["detail"].as_str().expect("text").contains(words), "{}", answer.body);
    }
    world.one_refused(RetryError::NotFound("delivery")).await.problem(404);
    world.one_refused(RetryError::Backend(away())).await.problem(503);
    world.post("/api/webhooks/deliveries/nonsense/retry", "").await.problem(404);
}

#[tokio::test]
async fn all_of_an_endpoint_are_put_back_within_a_window() {
    let world = World::with_tokens();
    let at = |second: u32| Some(clock::from_unix_seconds(1_767_323_045.0 + f64::from(second)));
    for (body, window) in [
        ("{}", Window::default()),
        (r#"{"since":null}"#, Window::default()),
        (r#"{"since":"2026-01-02T03:04:05Z","until":"2026-01-02T04:04:06+01:00"}"#, Window { since: at(0), until: at(1) }),
    ] {
        *world.retries.all.lock().expect("a lock") = Some(Ok(Bulk::Done(12)));
        let answer = world.with(ACME, "POST", ALL, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"retried": 12})));
        assert_eq!(world.retries.asked.lock().expect("a lock").pop(), Some(Asked::All(7, Some("acme".into()), window)));
    }
}

#[tokio::test]
async fn a_wrong_window_puts_nothing_back() {
    let world = World::default();
    assert_eq!(world.post(ALL, r#"{"since":"yesterday","until":""}"#).await.problem(400), ["since", "until"]);
    assert_eq!(world.post(ALL, r#"{"from":"2026-01-02T03:04:05Z"}"#).await.problem(400), ["from"]);
    world.post(ALL, "").await.problem(400);
    assert!(world.retries.asked.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn an_endpoint_that_is_disabled_or_not_there_is_a_problem() {
    let world = World::default();
    world.all_refused(RetryError::Disabled(7)).await.problem(409);
    world.all_refused(RetryError::NotFound("endpoint")).await.problem(404);
    world.post("/api/webhooks/endpoints/x/retry-failed", "{}").await.problem(404);
}
