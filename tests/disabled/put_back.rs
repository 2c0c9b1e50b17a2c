//! All that failed of an endpoint is put back when its owner says so, and not before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{event, path_of};
use crate::harness::{World, both_modes};

fn retry_failed(endpoint: i64) -> String {
    format!("{}/retry-failed", path_of(endpoint))
}

/// The ids of all deliveries of the endpoint, as lists show them.
async fn ids(world: &World, endpoint: i64) -> BTreeSet<String> {
    let deliveries = world.api.deliveries(&format!("endpoint_id={endpoint}&limit=500")).await;
    deliveries.iter().map(|delivery| delivery["id"].as_str().unwrap().to_owned()).collect()
}

both_modes! {
    async fn enabling_alone_sends_nothing_and_putting_back_delivers_everything(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 100).await;
        let before = ids(&world, endpoint).await;
        world.disable(endpoint).await;
        world.becomes(endpoint, "failed", 100).await;
        world.receiver.statuses("/", [204]);
        world.enable(endpoint).await;
        // What is enqueued now is sent, so the worker knows that the endpoint is enabled.
        world.api.send(&event("/", "new")).await;
        world.becomes(endpoint, "delivered", 1).await;
        assert_eq!(world.receiver.count(), 101);

        let answer = world.api.post(&retry_failed(endpoint), &json!({})).await.expect(200);
        assert_eq!(answer, json!({"retried": 100}));
        world.becomes(endpoint, "delivered", 101).await;
        let second: Vec<_> = world.receiver.requests().into_iter().filter(|request| request.attempt() == 2).collect();
        assert_eq!(second.iter().map(|request| request.delivery_id().to_owned()).collect::<BTreeSet<_>>(), before);
        assert_eq!((second.len(), world.receiver.count()), (100, 201));
        for id in &before {
            let delivery = world.api.delivery(id).await;
            assert_eq!((&delivery["attempt_count"], &delivery["error_message"]), (&json!(2), &json!(null)), "{delivery}");
            let numbers: Vec<_> = delivery["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["number"]).collect();
            assert_eq!(numbers, [&json!(1), &json!(2)]);
        }
        world.nothing_is_scheduled().await;
        assert_eq!(world.api.post(&retry_failed(endpoint), &json!({})).await.expect(200), json!({"retried": 0}));
    }

    async fn many_more_than_one_page_are_put_back(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 2500).await;
        world.disable(endpoint).await;
        world.becomes(endpoint, "failed", 2500).await;
        world.receiver.statuses("/", [204]);
        world.enable(endpoint).await;
        // So many are for a run: see tests/bulk.
        let answer = world.api.post(&retry_failed(endpoint), &json!({})).await.expect(202);
        assert_eq!(answer["run"]["status"], "running");
        world.becomes(endpoint, "delivered", 2500).await;
        assert_eq!(world.receiver.count(), 5000);
    }

    async fn only_what_was_created_in_the_window_is_put_back(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        let endpoint = world.hourly("/").await;
        let mut created = Vec::new();
        for id in ["a", "b", "c", "d"] {
            world.api.send(&event("/", id)).await;
            created.push(world.api.retrying(id, 1).await["created_at"].clone());
        }
        world.disable(endpoint).await;
        world.becomes(endpoint, "failed", 4).await;
        world.enable(endpoint).await;
        world.receiver.statuses("/", [204]);
        let window = json!({"since": created[1], "until": created[3]});
        assert_eq!(world.api.post(&retry_failed(endpoint), &window).await.expect(200), json!({"retried": 2}));
        world.becomes(endpoint, "delivered", 2).await;
        for (id, status) in [("a", "failed"), ("b", "delivered"), ("c", "delivered"), ("d", "failed")] {
            assert_eq!(world.api.ended(id).await["status"], status, "{id}");
        }
    }

    async fn attempts_that_ran_out_are_followed_by_one_more(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        let endpoint = world.register("/", &json!({"max_retries": 2, "retry_delay": 0.01})).await;
        world.api.send_id("e").await;
        assert_eq!(world.api.ended("e").await["attempt_count"], 2);
        assert_eq!(world.api.post(&retry_failed(endpoint), &json!({})).await.expect(200), json!({"retried": 1}));
        world.receiver.wait_for(3).await;
        let again = world.api.delivery_of("e", |delivery| delivery["status"] == "failed" && delivery["attempt_count"] == 3).await;
        assert_eq!(again["error_message"], "the receiver answered 500");
        assert_eq!(world.receiver.requests().iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2, 3]);
    }

    async fn a_disabled_endpoint_is_a_conflict_and_a_removed_one_is_not_there(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 1).await;
        world.disable(endpoint).await;
        world.becomes(endpoint, "failed", 1).await;
        let refused = world.api.post(&retry_failed(endpoint), &json!({})).await;
        assert_eq!((refused.status, refused.content_type.as_str()), (409, "application/problem+json"));
        assert!(refused.json["detail"].as_str().unwrap().contains(&format!("PATCH {}", path_of(endpoint))), "{}", refused.text);
        world.api.delete(&path_of(endpoint)).await.expect(204);
        world.api.post(&retry_failed(endpoint), &json!({})).await.expect(404);
        world.becomes(endpoint, "failed", 1).await;
    }
}
