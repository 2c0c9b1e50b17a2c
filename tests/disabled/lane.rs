//! What waits in the endpoint's lane is not sent any more; what runs is finished, and its outcome counts.

use serde_json::{Value, json};

use super::{BY_OWNER, SOON, event, type_of};
use crate::harness::{Gate, LONG, Reply, World, both_modes, eventually};

const EVENTS: usize = 200;

/// An endpoint that takes one request at a time, the first of which waits at the gate, with many more behind it.
async fn queued(world: &World, gate: &Gate, answer: u16) -> i64 {
    world.receiver.script("/", [Reply::status(answer).behind(gate)]);
    let more = json!({"event_types": [type_of("/")], "in_flight": 1, "retry_schedule": [3600]});
    let endpoint = world.register("/", &more).await;
    let events: Vec<_> = (0..EVENTS).map(|number| event("/", &format!("e{number}"))).collect();
    world.api.send(&events.into()).await;
    world.receiver.wait_for(1).await;
    endpoint
}

async fn running(world: &World, wanted: impl Fn(&Value) -> bool) -> Value {
    let id = world.receiver.requests()[0].delivery_id().to_owned();
    eventually(LONG, async || {
        let delivery = world.api.get(&format!("/api/webhooks/deliveries/{id}")).await;
        (delivery.status == 200 && wanted(&delivery.json)).then_some(delivery.json)
    })
    .await
}

both_modes! {
    async fn what_waits_in_the_lane_is_not_sent_and_what_runs_is_delivered(setup: Setup) {
        let world = setup.set("POSTHASTE__WORKER__PARK_AFTER", "60").await;
        let gate = Gate::closed();
        let endpoint = queued(&world, &gate, 204).await;
        world.disable(endpoint).await;
        world.becomes_within(SOON, endpoint, "failed", EVENTS - 1).await;
        gate.open();
        let delivered = running(&world, |delivery| delivery["status"] == "delivered").await;
        assert_eq!((&delivered["attempt_count"], &delivered["error_message"]), (&json!(1), &json!(null)));
        for failed in world.api.deliveries("status=failed&limit=500").await {
            assert_eq!((&failed["attempt_count"], &failed["error_message"]), (&json!(0), &json!(BY_OWNER)), "{failed}");
        }
        world.nothing_is_scheduled().await;
        assert_eq!(world.receiver.count(), 1);
        world.api.metric_becomes(r#"webhook_events_total{event_type="for/",status="failed"}"#, 199.0).await;
    }

    async fn what_was_parked_behind_a_slow_request_is_not_sent_either(setup: Setup) {
        let world = setup.set("POSTHASTE__WORKER__PARK_AFTER", "0.1").await;
        let gate = Gate::closed();
        let endpoint = queued(&world, &gate, 204).await;
        world.becomes(endpoint, "pending", EVENTS - 1).await;
        world.disable(endpoint).await;
        world.becomes_within(SOON, endpoint, "failed", EVENTS - 1).await;
        gate.open();
        running(&world, |delivery| delivery["status"] == "delivered").await;
        world.nothing_is_scheduled().await;
        assert_eq!(world.receiver.count(), 1);
    }

    async fn an_attempt_under_way_that_fails_is_the_last_one(setup: Setup) {
        let world = setup.set("POSTHASTE__WORKER__PARK_AFTER", "60").await;
        let gate = Gate::closed();
        let endpoint = queued(&world, &gate, 500).await;
        world.disable(endpoint).await;
        world.becomes_within(SOON, endpoint, "failed", EVENTS - 1).await;
        gate.open();
        let failed = running(&world, |delivery| delivery["status"] == "failed").await;
        assert_eq!((&failed["attempt_count"], &failed["error_message"], &failed["next_retry_at"]), (&json!(1), &json!(BY_OWNER), &json!(null)));
        assert_eq!((&failed["response_status"], &failed["attempts"][0]["error_message"]), (&json!(500), &json!("the receiver answered 500")));
        world.nothing_is_scheduled().await;
        assert_eq!(world.receiver.count(), 1);
    }
}
