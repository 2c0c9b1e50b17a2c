//! The failed deliveries of one endpoint.

use std::collections::HashSet;

use serde_json::json;

use super::{AHEAD, path_of, retry_failed};
use crate::harness::{Launch, World, both_modes};

both_modes! {
    async fn thousands_are_put_back_once_each_and_never_more_than_some_thousand_wait(setup: Setup) {
        let world = setup.await;
        let endpoint = world.failed("/", 3000, &json!({"in_flight": 64})).await;
        let gate = world.closed("/");
        let run = world.start_run(endpoint).await;
        world.run_is_full(&run).await;
        let shown = world.run(&run).await;
        assert_eq!((&shown["status"], &shown["total"], &shown["finished_at"]), (&json!("running"), &json!(3000), &json!(null)));
        assert_eq!(world.in_status(endpoint, "failed").await, 1000);

        let refused = world.api.post(&retry_failed(endpoint), &json!({})).await;
        assert_eq!((refused.status, &*refused.content_type), (409, "application/problem+json"));
        assert!(refused.json["detail"].as_str().unwrap().contains(&path_of(&run)), "{}", refused.text);
        // Another endpoint's is none of its business.
        let other = world.failed("/other", 101, &json!({})).await;
        let second = world.start_run(other).await;
        world.run_is(&second, |run| run["status"] == "done" && run["done"] == 101).await;
        let listed = world.api.get("/api/webhooks/runs").await.expect(200);
        let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect();
        assert_eq!(ids, [second["id"].clone(), run["id"].clone()]);

        assert_eq!(world.run(&run).await["done"], AHEAD);
        gate.open();
        let done = world.run_is(&run, |run| run["status"] != "running").await;
        assert_eq!((&done["status"], &done["done"], &done["refused"]), (&json!("done"), &json!(3000), &json!(0)));
        assert!(done["finished_at"].is_string() && done["error"].is_null(), "{done}");
        world.delivered(endpoint, 3000).await;
        let requests = world.receiver.requests_to("/");
        assert!(requests.iter().all(|request| request.attempt() == 2));
        let different: HashSet<_> = requests.iter().map(|request| request.delivery_id().to_owned()).collect();
        assert_eq!((requests.len(), different.len()), (3000, 3000));
    }

    async fn a_hundred_are_put_back_at_once_and_one_more_by_a_run(setup: Setup) {
        let world = setup.await;
        let endpoint = world.failed("/", 100, &json!({})).await;
        assert_eq!(world.api.post(&retry_failed(endpoint), &json!({})).await.expect(200), json!({"retried": 100}));
        world.delivered(endpoint, 100).await;
        let more = world.failed("/more", 101, &json!({})).await;
        let run = world.start_run(more).await;
        world.run_is(&run, |run| run["status"] == "done" && run["done"] == 101).await;
        world.delivered(more, 101).await;
        let answer = world.api.get("/api/webhooks/runs/01890a5d-ac96-774b-bcce-b302099a8057").await;
        assert_eq!(answer.status, 404, "{}", answer.text);
    }

    async fn the_command_line_follows_a_run_to_its_end(setup: Setup) {
        let world = setup.await;
        let endpoint = world.failed("/", 150, &json!({})).await.to_string();
        let command = |args: &[&str]| Launch::new(args.iter().copied()).set("POSTHASTE_SERVER", &world.app.url()).finish();
        let finished = command(&["endpoints", "retry-failed", &endpoint]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{}", finished.stdout);
        assert!(finished.stdout.ends_with("150 deliveries are put back\n"), "{}", finished.stdout);
        let listed = command(&["runs", "list"]).await;
        assert!(listed.stdout.contains("retry_failed") && listed.stdout.contains("150"), "{}", listed.stdout);
        let gone = command(&["runs", "cancel", "01890a5d-ac96-774b-bcce-b302099a8057"]).await;
        assert!(gone.code == Some(1) && gone.stderr.contains("no such run"), "{}", gone.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_command_leaves_the_run_going_and_says_how_to_look() {
    let world = World::embedded().await;
    let endpoint = world.failed("/", 2500, &json!({})).await;
    let gate = world.closed("/");
    let args = ["endpoints", "retry-failed", &endpoint.to_string()].map(str::to_owned);
    let mut command = Launch::new(args.iter().map(String::as_str)).set("POSTHASTE_SERVER", &world.app.url()).spawn();
    crate::harness::eventually(crate::harness::LONG, async || command.stdout().contains("deliveries").then_some(())).await;
    command.signal("INT");
    assert_eq!(command.exited().await.code(), Some(0));
    let run = world.api.get("/api/webhooks/runs").await.expect(200)["items"][0].clone();
    crate::harness::eventually(crate::harness::LONG, async || command.stderr().contains("posthaste runs cancel").then_some(())).await;
    assert_eq!(run["status"], "running");
    gate.open();
    world.run_is(&run, |run| run["status"] == "done").await;
}
