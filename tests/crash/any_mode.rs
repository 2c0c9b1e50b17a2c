//! The process is killed and started again on the same stores.

use serde_json::{Value, json};

use crate::harness::{Gate, LONG, Reply, both_modes, eventually};

fn events(from: usize, count: usize) -> Value {
    (from..from + count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": number})).collect::<Vec<_>>().into()
}

both_modes! {
    async fn what_was_accepted_is_delivered_after_a_crash(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        world.register("/", &json!({})).await;
        world.api.send(&events(0, 200)).await;
        world.receiver.wait_for(32).await;
        world.crash().await;
        gate.open();
        world.api.send(&events(200, 200)).await;
        let delivered = world.api.wait_for_deliveries("delivered", 400).await;
        assert_eq!(delivered.len(), 400);
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 1));
        let requests = world.receiver.requests();
        for delivery in &delivered {
            let own: Vec<_> = requests.iter().filter(|request| delivery["event_id"] == request.event_id()).collect();
            assert!(!own.is_empty() && own.iter().all(|request| delivery["id"] == request.delivery_id()), "{delivery}");
        }
    }

    async fn a_crash_right_after_the_answer_loses_no_event(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        world.register("/", &json!({})).await;
        for round in 0..3 {
            world.api.send(&events(round * 100, 100)).await;
            world.crash().await;
        }
        let delivered = world.api.wait_for_deliveries("delivered", 300).await;
        assert_eq!((delivered.len(), world.receiver.counts().len()), (300, 300));
    }

    async fn what_waits_for_its_next_attempt_goes_on_with_its_number_after_a_crash(setup: Setup) {
        let mut world = setup.await;
        world.receiver.statuses("/", [500, 204]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"retry_delay": 2})).await;
        let waiting = world.api.retrying("e", 1).await;
        world.crash().await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"], &delivery["id"]), (&json!("delivered"), &json!(2), &waiting["id"]));
        assert_eq!(delivery["attempts"][0], waiting["attempts"][0]);
        assert_eq!(world.receiver.requests().iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2]);
    }

    async fn what_is_delivered_is_not_sent_again_after_a_crash(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        world.register("/", &json!({})).await;
        world.api.send(&events(0, 100)).await;
        world.api.wait_for_deliveries("delivered", 100).await;
        world.crash().await;
        world.api.send(&events(0, 101)).await;
        world.api.wait_for_deliveries("delivered", 101).await;
        eventually(LONG, async || world.api.metric("webhook_queue_size").await.is_some_and(|size| size == 0.0).then_some(())).await;
        assert_eq!(world.receiver.count(), 101);
    }

    async fn endpoints_and_their_changes_outlive_a_crash(setup: Setup) {
        let mut world = setup.await;
        let kept = world.register("/kept", &json!({"name": "kept", "headers": {"X-Own": "a"}})).await;
        let removed = world.register("/removed", &json!({})).await;
        world.api.delete(&format!("/api/webhooks/endpoints/{removed}")).await.expect(204);
        let path = format!("/api/webhooks/endpoints/{kept}");
        let before = world.api.patch(&path, &json!({"timeout": 7})).await.expect(200);
        world.crash().await;
        assert_eq!(world.api.get(&path).await.expect(200), before);
        world.api.send_id("e").await;
        world.api.wait_for_deliveries("delivered", 1).await;
        assert_eq!(world.receiver.requests()[0].path, "/kept");
    }
}
