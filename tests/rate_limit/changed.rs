//! A limit that is changed counts at once for what comes then.

use serde_json::{Value, json};

use super::{LIMITED, events, limit, most_within};
use crate::harness::{Door, World, both_modes};
use std::time::Duration;

async fn change(world: &World, endpoint: i64, body: &Value) {
    world.api.patch(&format!("/api/webhooks/endpoints/{endpoint}"), body).await.expect(200);
}

both_modes! {
    async fn a_limit_that_is_removed_holds_up_nothing_more(setup: Setup) {
        let world = setup.await;
        let endpoint = world.register("/", &limit(1, 3600.0)).await;
        world.enqueue(Door::Http, &events(0, 1)).await;
        world.receiver.wait_for(1).await;
        change(&world, endpoint, &json!({"rate_limit": null})).await;
        world.enqueue(Door::Http, &events(1, 50)).await;
        world.receiver.wait_for(51).await;
        world.all_delivered_at_once(51).await;
    }

    async fn a_limit_that_is_raised_counts_from_the_last_request_on(setup: Setup) {
        let world = setup.await;
        let endpoint = world.register("/", &limit(1, 3600.0)).await;
        world.enqueue(Door::Http, &events(0, 1)).await;
        world.receiver.wait_for(1).await;
        change(&world, endpoint, &limit(20, 1.0)).await;
        world.enqueue(Door::Http, &events(1, 60)).await;
        let requests = world.receiver.wait_for(61).await;
        // With a tenth of a second that a slot may be late.
        assert!(most_within(Duration::from_secs(1), &requests[1..]) <= 22 + 1);
        world.all_delivered_at_once(61).await;
    }

    async fn a_limit_that_is_given_to_an_endpoint_is_kept_from_then_on(setup: Setup) {
        let world = setup.await;
        let endpoint = world.register("/", &json!({})).await;
        world.enqueue(Door::Http, &events(0, 5)).await;
        world.receiver.wait_for(5).await;
        change(&world, endpoint, &limit(1, 3600.0)).await;
        world.enqueue(Door::Http, &events(5, 3)).await;
        world.receiver.wait_for(6).await;
        world.api.metric_becomes(LIMITED, 2.0).await;
        assert_eq!(world.receiver.count(), 6);
        let waiting = world.api.wait_for_deliveries("pending", 2).await;
        assert!(waiting.iter().all(|delivery| delivery["attempt_count"] == 0 && delivery["error_message"].is_null()), "{waiting:?}");
    }
}
