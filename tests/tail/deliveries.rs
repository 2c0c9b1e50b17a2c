//! Deliveries: each when it comes, and when it ends.

use serde_json::{Value, json};

use super::Tail;
use crate::harness::{Gate, Reply, both_modes};

/// Event, status and attempts of all but the first.
fn shown(items: &[Value]) -> Vec<(&str, &str, u64)> {
    items
        .iter()
        .skip(1)
        .map(|item| (item["event_id"].as_str().unwrap(), item["status"].as_str().unwrap(), item["attempt_count"].as_u64().unwrap()))
        .collect()
}

both_modes! {
    async fn a_delivery_is_shown_when_it_comes_and_when_it_ends(setup: Setup) {
        let world = setup.await;
        let gate = Gate::closed();
        world.register("/begin", &json!({"event_types": ["begin"]})).await;
        world.receiver.script("/later", [Reply::status(500), Reply::status(204).behind(&gate)]);
        world.register("/later", &json!({"event_types": ["later"], "retry_delay": 7})).await;
        world.register("/now", &json!({"event_types": ["now"]})).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["bad"], "max_retries": 1})).await;
        let failed = Tail::begin(&world, "bad", &["deliveries", "tail", "--status", "failed"]).await;
        let all = Tail::begin(&world, "begin", &["deliveries", "tail"]).await;
        world.api.send(&json!({"id": "later", "event_type": "later", "data": 1})).await;
        assert_eq!(shown(&all.has(2).await), [("later", "retrying", 1)]);
        world.api.send(&json!({"id": "now", "event_type": "now", "data": 1})).await;
        assert_eq!(shown(&all.has(3).await), [("later", "retrying", 1), ("now", "delivered", 1)]);
        gate.open();
        let wanted = [("later", "retrying", 1), ("now", "delivered", 1), ("later", "delivered", 2)];
        assert_eq!(shown(&all.has(4).await), wanted);
        // Not a second time by the looks that follow.
        for number in 0..5 {
            world.api.send(&json!({"id": format!("n{number}"), "event_type": "now", "data": 1})).await;
            all.has(5 + number).await;
        }
        assert_eq!(shown(&all.items())[..3], wanted);
        assert_eq!(all.items().len(), 9);
        assert_eq!(failed.items().len(), 1);
        all.interrupt().await;
        failed.interrupt().await;
    }

    async fn those_that_come_into_a_status_are_shown_though_they_came_in_another(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        world.register("/", &json!({"event_types": ["begin"], "max_retries": 1})).await;
        let waits = world.register("/", &json!({"event_types": ["waits"], "retry_delay": 1000})).await;
        // It waits since before anybody looked.
        world.api.send(&json!({"id": "waits", "event_type": "waits", "data": 1})).await;
        world.api.retrying("waits", 1).await;
        let tail = Tail::begin(&world, "begin", &["deliveries", "tail", "--status", "failed"]).await;
        world.api.patch(&format!("/api/webhooks/endpoints/{waits}"), &json!({"is_active": false})).await.expect(200);
        let items = tail.has(2).await;
        assert_eq!(shown(&items), [("waits", "failed", 1)]);
        assert!(items[1]["error_message"].as_str().unwrap().contains("disabled"), "{}", items[1]);
        tail.interrupt().await;
    }
}
