//! Whoever disables or removes it: what waits in the records fails with the reason, long before it would come due.

use serde_json::json;

use super::{BY_OWNER, SOON, event, path_of};
use crate::harness::{World, both_modes};

/// Asserts that all of them failed with that reason, and kept what their first attempt came to.
async fn stopped(world: &World, endpoint: i64, count: usize, reason: &str) {
    world.becomes_within(SOON, endpoint, "failed", count).await;
    for delivery in world.api.deliveries(&format!("endpoint_id={endpoint}&limit=500")).await {
        assert_eq!((&delivery["error_message"], &delivery["next_retry_at"]), (&json!(reason), &json!(null)), "{delivery}");
        let one = world.api.delivery(delivery["id"].as_str().unwrap()).await;
        assert_eq!((&one["error_message"], &one["attempt_count"]), (&json!(reason), &json!(1)), "{one}");
        assert_eq!(one["attempts"][0]["error_message"], "the receiver answered 500", "{one}");
    }
    world.nothing_is_scheduled().await;
}

both_modes! {
    async fn what_waits_for_an_endpoint_that_its_owner_disables_fails_with_that_reason(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 20).await;
        world.disable(endpoint).await;
        stopped(&world, endpoint, 20, BY_OWNER).await;
    }

    async fn what_waits_for_another_endpoint_goes_on_waiting(setup: Setup) {
        let world = setup.await;
        let (endpoint, other) = (world.waiting("/", 20).await, world.waiting("/other", 20).await);
        world.disable(endpoint).await;
        world.becomes_within(SOON, endpoint, "failed", 20).await;
        world.becomes_within(SOON, other, "retrying", 20).await;
        world.api.metric_becomes("webhook_waiting_deliveries", 20.0).await;
    }

    async fn what_waits_for_an_endpoint_that_is_removed_fails_with_that_reason(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 20).await;
        world.api.delete(&path_of(endpoint)).await.expect(204);
        stopped(&world, endpoint, 20, "the endpoint was removed").await;
    }

    async fn what_waits_for_an_endpoint_that_answers_410_fails_with_that_reason(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 20).await;
        world.receiver.statuses("/", [410]);
        world.api.send(&event("/", "last")).await;
        world.becomes_within(SOON, endpoint, "failed", 21).await;
        let reason = "the endpoint is disabled: the receiver answered 410 Gone";
        let failed = world.api.deliveries("status=failed&limit=500").await;
        let (last, others): (Vec<_>, Vec<_>) = failed.into_iter().partition(|delivery| delivery["event_id"] == "last");
        assert_eq!(last[0]["error_message"], "the receiver answered 410");
        assert!(others.iter().all(|delivery| delivery["error_message"] == reason), "{others:?}");
        world.nothing_is_scheduled().await;
    }

    async fn many_more_than_one_batch_are_stopped_and_counted_once(setup: Setup) {
        let world = setup.await;
        let endpoint = world.waiting("/", 2500).await;
        world.disable(endpoint).await;
        world.becomes(endpoint, "failed", 2500).await;
        world.nothing_is_scheduled().await;
        world.api.metric_becomes(r#"webhook_events_total{event_type="for/",status="failed"}"#, 2500.0).await;
    }

    async fn an_endpoint_disabled_while_the_program_was_down_is_noticed_at_the_start(setup: Setup) {
        let mut world = setup.await;
        let (disabled, removed) = (world.waiting("/", 3).await, world.waiting("/removed", 3).await);
        world.app.kill();
        world.execute(&format!("UPDATE webhook_endpoints SET is_active = false WHERE id = {disabled}")).await;
        world.execute(&format!("DELETE FROM webhook_endpoints WHERE id = {removed}")).await;
        world.start_again().await;
        stopped(&world, disabled, 3, BY_OWNER).await;
        stopped(&world, removed, 3, "the endpoint was removed").await;
    }
}
