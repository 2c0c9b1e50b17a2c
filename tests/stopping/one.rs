//! One process is told to stop.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Gate, LONG, Reply, World, both_modes, eventually};

/// Tells it to stop, and returns when it has heard.
async fn terminate(world: &World) {
    world.app.terminate();
    eventually(LONG, async || world.app.stderr().contains("stopping").then_some(())).await;
}

fn events(ids: std::ops::Range<u32>) -> Value {
    ids.map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect::<Vec<_>>().into()
}

both_modes! {
    async fn running_attempts_finish_and_are_recorded_and_the_rest_is_given_back(setup: Setup) {
        let mut world = setup.await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::full(200, &[], b"in time").behind(&gate)]);
        world.register("/", &json!({"in_flight": 2})).await;
        world.api.send(&events(0..10)).await;
        world.receiver.wait_for(2).await;
        terminate(&world).await;
        gate.open();
        assert_eq!(world.app.exited().await.code(), Some(0));
        assert_eq!(world.receiver.count(), 2, "nothing that waited was started");

        world.receiver.script("/", [Reply::full(200, &[], b"later")]);
        world.start_again().await;
        let delivered = world.api.wait_for_deliveries("delivered", 10).await;
        let in_time = delivered.iter().filter(|delivery| delivery["response_body"] == "in time").count();
        assert_eq!((in_time, delivered.len()), (2, 10));
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 1), "{delivered:?}");
        assert!(world.receiver.counts().values().all(|count| *count == 1), "{:?}", world.receiver.counts());
    }

    async fn nothing_new_is_claimed_after_sigterm(setup: Setup) {
        let mut world = setup.await;
        let gate = Gate::closed();
        world.receiver.script("/slow", [Reply::status(200).behind(&gate)]);
        world.api.deliver("running", &world.receiver.url("/slow"), &json!({})).await;
        world.register("/", &json!({"event_types": ["late"]})).await;
        world.receiver.wait_for(1).await;
        terminate(&world).await;
        world.api.send(&json!({"id": "late", "event_type": "late", "data": 1})).await;
        gate.open();
        assert_eq!(world.app.exited().await.code(), Some(0));
        assert!(world.receiver.requests_to("/").is_empty());
        world.start_again().await;
        assert_eq!(world.api.ended("late").await["status"], "delivered");
        assert_eq!(world.api.ended("running").await["attempt_count"], 1);
        assert_eq!(world.receiver.count(), 2);
    }

    async fn while_it_stops_it_is_healthy_and_not_ready(setup: Setup) {
        let mut world = setup.await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(200).behind(&gate)]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        world.receiver.wait_for(1).await;
        terminate(&world).await;
        let answer = world.api.get("/ready").await;
        assert_eq!((answer.status, answer.json["errors"][0]["field"].as_str()), (503, Some("process")), "{}", answer.text);
        world.api.get("/health").await.expect(200);
        gate.open();
        assert_eq!(world.app.exited().await.code(), Some(0));
    }

    async fn attempts_that_take_longer_than_the_grace_are_given_back(setup: Setup) {
        let mut world = setup.set("POSTHASTE__SHUTDOWN__GRACE", "0.5").await;
        world.receiver.script("/", [Reply::hang(), Reply::status(200)]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        world.receiver.wait_for(1).await;
        let asked = Instant::now();
        terminate(&world).await;
        assert_eq!(world.app.exited().await.code(), Some(0));
        assert!(asked.elapsed() >= Duration::from_millis(500));
        world.start_again().await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    }

    async fn a_second_signal_ends_it_at_once_and_loses_nothing(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        world.receiver.script("/", [Reply::hang(), Reply::status(200)]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        world.receiver.wait_for(1).await;
        terminate(&world).await;
        let asked = Instant::now();
        world.app.terminate();
        assert_ne!(world.app.exited().await.code(), Some(0));
        assert!(asked.elapsed() < Duration::from_secs(10), "the grace is 25 s");
        world.start_again().await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    }

    async fn ctrl_c_stops_it_too(setup: Setup) {
        let mut world = setup.await;
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        world.api.ended("e").await;
        world.app.signal("INT");
        assert_eq!(world.app.exited().await.code(), Some(0));
    }
}
