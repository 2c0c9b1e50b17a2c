//! The program stops, or the endpoint is disabled, while much waits.

use std::time::Duration;

use serde_json::json;

use super::{events, limit, most_within};
use crate::harness::{Door, LONG, both_modes, eventually};

both_modes! {
    async fn what_waits_when_the_program_stops_is_given_back_and_sent_afterwards(setup: Setup) {
        let mut world = setup.await;
        world.register("/", &limit(40, 1.0)).await;
        world.enqueue(Door::Http, &events(0, 300)).await;
        world.receiver.wait_for(10).await;
        world.app.terminate();
        assert_eq!(world.app.exited().await.code(), Some(0));
        let sent = world.receiver.count();
        assert!(sent < 150, "much waited: {sent}");
        // Of its own work nothing holds it up: what waits is not waited for.
        world.start_again().await;
        world.receiver.wait_for(300).await;
        world.all_delivered_at_once(300).await;
        // Nowhere near all that was given back.
        let later = &world.receiver.requests()[sent..];
        let most = most_within(Duration::from_secs(1), later);
        assert!(most <= 60, "{most} requests within a second");
    }

    async fn what_waits_for_an_endpoint_that_is_disabled_stops_at_once(setup: Setup) {
        let world = setup.await;
        let endpoint = world.register("/", &limit(1, 1.5)).await;
        world.enqueue(Door::Http, &events(0, 100)).await;
        world.receiver.wait_for(1).await;
        world.api.patch(&format!("/api/webhooks/endpoints/{endpoint}"), &json!({"is_active": false})).await.expect(200);
        eventually(LONG, async || {
            let ended = world.rows("webhook_deliveries WHERE status IN ('delivered', 'failed')").await;
            (ended == 100).then_some(())
        })
        .await;
        let delivered = world.api.deliveries("status=delivered&limit=500").await.len();
        assert!(delivered <= 3, "{delivered}");
        assert_eq!(world.receiver.count(), delivered);
        for failed in world.api.deliveries("status=failed&limit=500").await {
            assert_eq!((&failed["attempt_count"], &failed["error_message"]), (&json!(0), &json!("the endpoint is disabled: by its owner")));
        }
    }
}
