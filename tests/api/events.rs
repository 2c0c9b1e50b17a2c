//! Enqueuing over HTTP.

use serde_json::{Value, json};

use super::problem;
use crate::harness::both_modes;

const EVENTS: &str = "/api/webhooks/events";

fn event(id: &str) -> Value {
    json!({"id": id, "event_type": "order.created", "data": {"n": 1}})
}

both_modes! {
    async fn one_event_answers_202_with_its_id(setup: Setup) {
        let world = setup.await;
        let answer = world.api.post(EVENTS, &event("e")).await.expect(202);
        assert_eq!((&answer["ids"], &answer["id"]), (&json!(["e"]), &json!("e")));
        let made = world.api.post(EVENTS, &json!({"event_type": "a", "data": null})).await.expect(202);
        let id: uuid::Uuid = made["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }

    async fn an_array_answers_with_the_ids_in_order(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let ids: Vec<_> = (0..1000).map(|number| format!("e{number}")).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id)).collect();
        assert_eq!(world.api.post(EVENTS, &events.into()).await.expect(202)["ids"], json!(ids));
        world.receiver.wait_for(1000).await;
    }

    async fn a_wrong_event_names_the_field(setup: Setup) {
        let world = setup.await;
        let table = [
            ("id", json!("")), ("id", json!("no spaces")), ("id", json!("x".repeat(256))), ("id", json!(7)), ("id", json!("ä")),
            ("event_type", json!("")), ("event_type", json!("no spaces")), ("event_type", json!("x".repeat(256))), ("event_type", json!(7)),
            ("timestamp", json!("now")), ("source", json!(7)), ("version", json!(1)), ("tenant", json!("no spaces")),
        ];
        for (field, value) in table {
            let mut wrong = event("e");
            wrong[field] = value.clone();
            assert_eq!(problem(&world.api.post(EVENTS, &wrong).await, 400), [field], "{value}");
        }
        assert_eq!(problem(&world.api.post(EVENTS, &json!({"id": "e", "data": 1})).await, 400), ["event_type"]);
        assert_eq!(problem(&world.api.post(EVENTS, &json!({"id": "e", "event_type": "a"})).await, 400), ["data"]);
    }

    async fn one_wrong_event_refuses_the_whole_array_and_every_wrong_one_is_named(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let events = json!([event("good"), {"id": "a b", "event_type": "a", "data": 1}, 7, {"id": "e", "event_type": "", "data": 1}]);
        assert_eq!(problem(&world.api.post(EVENTS, &events).await, 400), ["events[1].id", "events[2]", "events[3].event_type"]);
        world.api.send(&event("after")).await;
        world.api.ended("after").await;
        assert!(world.api.deliveries("event_id=good").await.is_empty());
    }

    async fn an_event_that_is_too_large_is_413(setup: Setup) {
        let world = setup.await;
        let mut large = event("e");
        large["data"] = json!("x".repeat(256 << 10));
        assert_eq!(problem(&world.api.post(EVENTS, &large).await, 413).len(), 1);
        assert_eq!(problem(&world.api.post(EVENTS, &json!([event("a"), large])).await, 413), ["events[1]"]);
    }

    async fn an_array_holds_1_to_1000_events(setup: Setup) {
        let world = setup.await;
        problem(&world.api.post(EVENTS, &json!([])).await, 400);
        let events: Vec<_> = (0..1001).map(|number| event(&number.to_string())).collect();
        problem(&world.api.post(EVENTS, &events.into()).await, 400);
    }

    async fn events_without_endpoints_are_taken_too(setup: Setup) {
        let world = setup.await;
        world.api.send(&event("e")).await;
        world.api.metric_becomes(r#"webhook_events_total{event_type="order.created",status="triggered"}"#, 1.0).await;
        assert!(world.api.deliveries("event_id=e").await.is_empty());
    }
}
