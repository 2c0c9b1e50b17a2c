//! What stays the same and what changes from one attempt to the next.

use serde_json::json;

use super::only;
use crate::harness::{Received, both_modes};

both_modes! {
    async fn attempts_are_numbered_and_keep_the_delivery_and_the_event(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"max_retries": 5, "retry_delay": 0.02})).await;
        for door in world.doors() {
            world.receiver.statuses("/a", [500, 404, 302, 503, 204]);
            let id = format!("{door:?}");
            world.enqueue(door, &[json!({"id": id, "event_type": "a", "data": 1}).to_string()]).await;
            world.arrived(&id).await;
            world.settled().await;
            let requests = world.receiver.requests();
            let attempts: Vec<_> = requests.iter().filter(|request| request.event_id() == id).collect();
            let numbers: Vec<_> = attempts.iter().map(|attempt| only(attempt, "x-webhook-attempt")).collect();
            assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
            let delivered = world.api.deliveries(&format!("event_id={id}")).await;
            assert_eq!((delivered.len(), &delivered[0]["status"], &delivered[0]["attempt_count"]), (1, &json!("delivered"), &json!(5)));
            for attempt in attempts {
                assert_eq!(attempt.delivery_id(), delivered[0]["id"]);
                assert_eq!((only(attempt, "x-webhook-event"), &attempt.body), ("a", &world.arrived(&id).await.body));
            }
        }
    }

    async fn a_delivery_keeps_its_id_and_its_count_over_a_crash(setup: Setup) {
        let mut world = setup.await;
        world.register("/a", &json!({"max_retries": 3, "retry_delay": 1})).await;
        world.receiver.statuses("/a", [500, 204]);
        world.api.send_id("e").await;
        world.api.wait_for_deliveries("retrying", 1).await;
        world.crash().await;
        world.settled().await;
        let requests = world.receiver.requests();
        assert_eq!(requests.iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(requests[0].delivery_id(), requests[1].delivery_id());
    }

    async fn the_timestamp_is_that_of_the_attempt(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"max_retries": 2, "retry_delay": 2.5})).await;
        for door in world.doors() {
            world.receiver.statuses("/a", [500, 204]);
            let id = format!("{door:?}");
            let event = json!({"id": id, "event_type": "a", "data": 1, "timestamp": 1_000_000_000.5});
            world.enqueue(door, &[event.to_string()]).await;
            world.arrived(&id).await;
            world.settled().await;
            let requests = world.receiver.requests();
            let attempts: Vec<_> = requests.iter().filter(|request| request.event_id() == id).collect();
            assert_eq!(attempts.len(), 2);
            let seconds_of = |attempt: &Received| only(attempt, "x-webhook-timestamp").parse().expect("a number");
            let seconds: Vec<i64> = attempts.iter().map(|attempt| seconds_of(attempt)).collect();
            assert!(seconds[1] >= seconds[0] + 2, "{seconds:?}");
            for (attempt, seconds) in attempts.iter().zip(seconds) {
                let arrived = attempt.wall.timestamp();
                assert!((arrived - 2..=arrived).contains(&seconds), "{seconds} {arrived}");
                assert_eq!(only(attempt, "webhook-timestamp"), seconds.to_string());
                assert_eq!(attempt.json()["timestamp"], 1_000_000_000.5);
            }
        }
    }
}
