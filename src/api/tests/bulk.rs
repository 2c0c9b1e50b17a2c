use std::sync::Arc;

use serde_json::json;

use super::fakes::FakeLetters;
use super::{ACME, ADMIN, World};
use crate::model::run::{Run, RunKind};
use crate::ports::{Bulk, RetryError};

const LETTERS: &str = "/api/webhooks/dead-letters";
const REQUEUE: &str = "/api/webhooks/dead-letters/requeue";
const RUNS: &str = "/api/webhooks/runs";

fn run_of(tenant: Option<&str>) -> Run {
    Run { tenant: tenant.map(Arc::from), endpoint_id: Some(7), ..Run::new(RunKind::RetryFailed) }
}

impl World {
    fn letters(&self) -> &FakeLetters {
        &self.letters
    }
}

#[tokio::test]
async fn ids_to_drop_may_be_repeated_and_separated_by_commas_and_an_empty_one_never_means_all() {
    let world = World::default();
    let answer = world.with("", "DELETE", &format!("{LETTERS}?id=a,b&id=c"), "").await;
    assert_eq!(answer.json(), json!({"dropped": 3}));
    for query in ["?id=", "?id=a,,b", "?id=a%20b", "?ids=a", "?id=-1"] {
        world.with("", "DELETE", &format!("{LETTERS}{query}"), "").await.problem(400);
    }
    assert_eq!(world.with("", "DELETE", LETTERS, "").await.json(), json!({"dropped": 7}));
    let asked = [Some(vec!["a".to_owned(), "b".into(), "c".into()]), None];
    assert_eq!(*world.letters().removed.lock().expect("a lock"), asked);
}

#[tokio::test]
async fn dead_letters_are_requeued_by_their_ids_or_all() {
    let world = World::default();
    let some = world.post(REQUEUE, r#"{"ids":["a","b"]}"#).await;
    assert_eq!((some.status.as_u16(), some.json()), (200, json!({"requeued": 1, "refused": [{"id": "b", "reason": "not an event"}]})));
    for body in ["", "{}", r#"{"ids":null}"#] {
        assert_eq!(world.post(REQUEUE, body).await.json(), json!({"requeued": 3, "refused": []}));
    }
    let many = json!({"ids": vec!["a"; 101]}).to_string();
    for body in [r#"{"ids":[]}"#, r#"{"ids":["é"]}"#, &many] {
        assert_eq!(world.post(REQUEUE, body).await.problem(400), ["ids"]);
    }
    assert_eq!(world.post(REQUEUE, r#"{"id":"a"}"#).await.problem(400), ["id"]);
    world.post(REQUEUE, "[").await.problem(400);
    assert_eq!(world.letters().requeued.lock().expect("a lock").len(), 4);
}

#[tokio::test]
async fn dead_letters_are_not_there_for_a_token_of_one_tenant() {
    let world = World::with_tokens();
    for (method, path) in [("GET", LETTERS), ("DELETE", LETTERS), ("POST", REQUEUE)] {
        let refused = world.with(ACME, method, path, "").await;
        refused.problem(404);
        assert_eq!(refused.json()["detail"], world.with(ACME, method, "/api/webhooks/nowhere", "").await.json()["detail"]);
        assert_eq!(world.with(ADMIN, method, path, "").await.status.as_u16(), 200, "{method} {path}");
    }
    assert_eq!(world.letters().removed.lock().expect("a lock").len(), 1);
}

#[tokio::test]
async fn what_is_much_is_answered_with_the_run_that_does_it() {
    let world = World::default();
    let run = run_of(Some("acme"));
    let path = format!("{RUNS}/{}", run.id);
    *world.retries.all.lock().expect("a lock") = Some(Ok(Bulk::Started(Box::new(run.clone()))));
    let answer = world.post("/api/webhooks/endpoints/7/retry-failed", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.header(axum::http::header::LOCATION)), (202, &*path));
    let shown = &answer.json()["run"];
    assert_eq!((&shown["id"], &shown["kind"], &shown["status"]), (&json!(run.id.to_string()), &json!("retry_failed"), &json!("running")));
    *world.retries.all.lock().expect("a lock") = Some(Err(RetryError::Running(run.id)));
    let refused = world.post("/api/webhooks/endpoints/7/retry-failed", "{}").await;
    refused.problem(409);
    assert!(refused.json()["detail"].as_str().expect("text").contains(&path), "{}", refused.body);
}

#[tokio::test]
async fn a_tenant_sees_and_ends_its_own_runs_alone() {
    let world = World::with_tokens();
    let (own, other, all) = (run_of(Some("acme")), run_of(Some("other")), run_of(None));
    *world.records.runs.lock().expect("a lock") = vec![own.clone(), other.clone(), all.clone()];
    let ids = |answer: &super::Answer| -> Vec<String> {
        let json = answer.json();
        json["items"].as_array().expect("a list").iter().map(|run| run["id"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(ids(&world.with(ACME, "GET", RUNS, "").await), [own.id.to_string()]);
    let first = world.with(ADMIN, "GET", &format!("{RUNS}?limit=2"), "").await;
    assert_eq!(ids(&first), [all.id.to_string(), other.id.to_string()]);
    let cursor = first.json()["next_cursor"].as_str().expect("there is more").to_owned();
    assert_eq!(ids(&world.with(ADMIN, "GET", &format!("{RUNS}?limit=2&cursor={cursor}"), "").await), [own.id.to_string()]);
    world.with(ADMIN, "GET", &format!("{RUNS}?cursor=x&status=y"), "").await.problem(400);
    for run in [&other, &all] {
        world.with(ACME, "GET", &format!("{RUNS}/{}", run.id), "").await.problem(404);
        world.with(ACME, "POST", &format!("{RUNS}/{}/cancel", run.id), "").await.problem(404);
    }
    let cancelled = world.with(ACME, "POST", &format!("{RUNS}/{}/cancel", own.id), "").await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.json()["status"]), (200, &json!("cancelled")));
    world.with(ACME, "POST", &format!("{RUNS}/{}/cancel", own.id), "").await.problem(409);
    world.with(ADMIN, "GET", &format!("{RUNS}/nonsense"), "").await.problem(404);
}
