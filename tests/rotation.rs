//! A secret is replaced, and receivers verify with the old one and with the new one for as long as both are valid.

mod at_rest;
mod keys;

use std::time::Duration;

use posthaste::model::clock;
use serde_json::{Value, json};

use crate::harness::{LONG, Launch, Received, World, both_modes, eventually, time, verifiers};

async fn rotate(world: &World, id: i64, body: &Value) -> Value {
    world.api.post(&format!("/api/webhooks/endpoints/{id}/rotate-secret"), body).await.expect(200)
}

fn secret_of(answer: &Value) -> String {
    answer["secret"].as_str().expect("shown once").to_owned()
}

/// The request for an event that is sent now.
async fn sent(world: &World, id: &str) -> std::sync::Arc<Received> {
    world.api.send_id(id).await;
    eventually(LONG, async || world.receiver.requests().into_iter().find(|request| request.event_id() == id)).await
}

fn signatures(request: &Received) -> usize {
    request.header("webhook-signature").split(' ').count()
}

async fn assert_verified(file: &str) {
    assert_eq!(verifiers::python("verify.py", &[file]).await, "verified 1\n");
    assert_eq!(verifiers::node("verify.cjs", &[file]).await, "verified 1\n");
}

both_modes! {
    async fn receivers_verify_with_both_secrets_while_they_overlap(setup: Setup) {
        let world = setup.await;
        let first = world.api.register(&world.receiver.url("/a"), &json!({"secret": "plain-old-secret"})).await;
        let second = secret_of(&rotate(&world, first.id, &json!({})).await);
        let third = secret_of(&rotate(&world, first.id, &json!({"overlap_seconds": 3600})).await);
        let request = sent(&world, "e").await;
        assert_eq!(signatures(&request), 3, "newest first, one for each");
        crate::signing::assert_first_signed(&request, &third);
        assert_verified(&verifiers::write_requests([(&*third, &*request)])).await;
        for earlier in [&second, &first.secret] {
            assert_verified(&verifiers::write_earlier(earlier, &request)).await;
        }
    }

    async fn an_earlier_secret_ends_at_its_time_and_with_an_overlap_of_0_at_once(setup: Setup) {
        let world = setup.await;
        let id = world.register("/a", &json!({})).await;
        let answer = rotate(&world, id, &json!({"overlap_seconds": 2.5})).await;
        let until = time(&answer["earlier_secrets_until"][0]);
        let early = sent(&world, "early").await;
        assert!(signatures(&early) == 2 || early.wall >= until, "both are valid");
        eventually(LONG, async || (clock::now() > until).then_some(())).await;
        let late = sent(&world, "late").await;
        crate::signing::assert_signed(&late, &secret_of(&answer));
        rotate(&world, id, &json!({})).await;
        let last = rotate(&world, id, &json!({"overlap_seconds": 0})).await;
        assert_eq!(last["earlier_secrets_until"], json!([]));
        crate::signing::assert_signed(&*sent(&world, "last").await, &secret_of(&last));
    }

    async fn what_cannot_be_rotated_is_refused_and_says_why(setup: Setup) {
        let world = setup.await;
        let id = world.api.register(&world.receiver.url("/a"), &json!({"secret": "my-own-secret"})).await.id;
        let path = format!("/api/webhooks/endpoints/{id}/rotate-secret");
        for (body, field) in [
            (json!({"overlap_seconds": -1}), "overlap_seconds"),
            (json!({"overlap_seconds": 2_592_001}), "overlap_seconds"),
            (json!({"overlap_seconds": "a day"}), "overlap_seconds"),
            (json!({"secret": "short"}), "secret"),
            (json!({"secret": "sealed:1:not-ours"}), "secret"),
            (json!({"overlap": 1}), "overlap"),
        ] {
            let problem = world.api.post(&path, &body).await.expect(400);
            assert_eq!(problem["errors"][0]["field"], field, "{body}");
        }
        world.api.post("/api/webhooks/endpoints/4711/rotate-secret", &json!({})).await.expect(404);
        let known = world.api.post(&path, &json!({"secret": "my-own-secret"})).await.expect(409);
        assert!(known["detail"].as_str().unwrap().contains("give another one"), "{known}");
        for _ in 0..7 {
            rotate(&world, id, &json!({"overlap_seconds": 600})).await;
        }
        let refused = world.api.post(&path, &json!({})).await.expect(409);
        assert!(refused["detail"].as_str().unwrap().contains("overlap of 0"), "{refused}");
        assert_eq!(signatures(&*sent(&world, "e").await), 8);
        rotate(&world, id, &json!({"overlap_seconds": 0})).await;
        assert_eq!(signatures(&*sent(&world, "f").await), 1);
    }

    async fn a_secret_that_is_given_signs_and_no_answer_but_the_first_shows_it(setup: Setup) {
        let world = setup.await;
        let id = world.register("/a", &json!({})).await;
        let finished = Launch::new(["endpoints", "rotate-secret", &id.to_string(), "--overlap", "0", "--secret", "given-by-its-owner", "--json"])
            .set("POSTHASTE_SERVER", &world.app.url())
            .finish()
            .await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let answer: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!((&answer["id"], &answer["secret"]), (&json!(id), &json!("given-by-its-owner")));
        crate::signing::assert_signed(&*sent(&world, "e").await, "given-by-its-owner");
        for path in ["/api/webhooks/endpoints".to_owned(), format!("/api/webhooks/endpoints/{id}")] {
            let seen = world.api.get(&path).await.text;
            assert!(!seen.contains("given-by-its-owner") && !seen.contains("secret"), "{seen}");
        }
    }

    async fn earlier_secrets_that_are_over_leave_the_row(setup: Setup) {
        let world = setup.set("POSTHASTE__RETENTION__INTERVAL", "0.1").await;
        let id = world.register("/a", &json!({})).await;
        rotate(&world, id, &json!({"overlap_seconds": 600})).await;
        rotate(&world, id, &json!({"overlap_seconds": 0.01})).await;
        let some = "SELECT count(*) AS number FROM webhook_endpoints WHERE CAST(previous_secrets AS text) <> '[]'";
        eventually(LONG, async || (world.number(some).await == 0).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_in_force_in_every_process_within_a_second() {
    let world = World::production().role("api").await;
    let _worker = world.another("worker").await;
    let id = world.register("/a", &json!({})).await;
    // Twice the second that the contract gives: for the endpoint, and for its secret.
    tokio::time::sleep(Duration::from_secs(1)).await;
    sent(&world, "known").await;
    let new = secret_of(&rotate(&world, id, &json!({"overlap_seconds": 0})).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    crate::signing::assert_signed(&*sent(&world, "after").await, &new);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_at_once_all_count() {
    let world = World::production().await;
    let process = world.another("api").await;
    let other = process.api();
    let id = world.register("/a", &json!({})).await;
    let path = format!("/api/webhooks/endpoints/{id}/rotate-secret");
    let body = json!({"overlap_seconds": 600});
    let (a, b, c, d) =
        tokio::join!(world.api.post(&path, &body), other.post(&path, &body), world.api.post(&path, &body), other.post(&path, &body));
    for answer in [a, b, c, d] {
        answer.expect(200);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(signatures(&*sent(&world, "e").await), 5);
}
