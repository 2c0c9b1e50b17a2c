//! `webhook.delivery.failed`.

use serde_json::json;

use super::{DELIVERY_FAILED, DISABLED, path_of};
use crate::harness::both_modes;
use crate::signing::assert_signed;

both_modes! {
    async fn a_delivery_whose_attempts_ran_out_is_told_once_and_signed_as_any_other(setup: Setup) {
        let world = setup.await;
        let listener = world.api.register(&world.receiver.url("/told"), &json!({"event_types": [DELIVERY_FAILED]})).await;
        world.receiver.statuses("/bad", [500]);
        let endpoint = world.register("/bad", &json!({"name": "bad", "event_types": ["order.*"], "retry_schedule": [0.01]})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        let told = world.come_to("/told", 1).await.remove(0);
        let delivery = world.api.ended("e").await;
        assert_eq!(told.header("x-webhook-event"), DELIVERY_FAILED);
        assert_signed(&told, &listener.secret);
        let body = told.json();
        assert_eq!((&body["event_type"], &body["source"], &body["version"]), (&json!(DELIVERY_FAILED), &json!("posthaste"), &json!("1.0")));
        let data = json!({
            "delivery_id": delivery["id"], "event_id": "e", "event_type": "order.created", "endpoint_id": endpoint, "endpoint_name": "bad",
            "attempt_count": 2, "response_status": 500, "error_message": "the receiver answered 500",
        });
        assert_eq!(body["data"], data);
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/told").len(), 1);
    }

    async fn a_first_attempt_and_one_among_several_endpoints_are_told_too(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DELIVERY_FAILED]).await;
        world.receiver.statuses("/a", [500]);
        world.receiver.statuses("/b", [404]);
        let (a, b) = (world.register("/a", &json!({"max_retries": 1})).await, world.register("/b", &json!({"max_retries": 1})).await);
        world.register("/good", &json!({})).await;
        world.api.send_id("e").await;
        let told = world.come_to("/told", 2).await;
        let mut endpoints: Vec<_> = told.iter().map(|request| request.json()["data"]["endpoint_id"].as_i64().unwrap()).collect();
        endpoints.sort_unstable();
        assert_eq!(endpoints, [a, b]);
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/told").len(), 2);
    }

    async fn only_those_who_name_the_type_are_told(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DELIVERY_FAILED]).await;
        world.listens("/star", &["*"]).await;
        world.listens("/prefix", &["webhook.*", "webhook.delivery.*"]).await;
        world.listens("/other", &[DISABLED]).await;
        world.register("/tenant", &json!({"tenant": "acme", "event_types": [DELIVERY_FAILED]})).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.come_to("/told", 1).await;
        world.settled().await;
        let mut paths: Vec<_> = world.receiver.requests().iter().map(|request| request.path.clone()).collect();
        paths.sort();
        assert_eq!(paths, ["/bad", "/star", "/told"], "and the one at /star is the order");
    }

    async fn where_nobody_wants_to_know_nothing_is_made(setup: Setup) {
        let world = setup.await;
        world.listens("/star", &["*"]).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"max_retries": 1})).await;
        world.api.send_id("e").await;
        world.api.ended("e").await;
        world.settled().await;
        assert_eq!(world.rows("webhook_events").await, 1);
    }

    async fn a_delivery_that_was_stopped_is_not_told(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DELIVERY_FAILED]).await;
        world.receiver.statuses("/bad", [500]);
        let endpoint = world.register("/bad", &json!({"event_types": ["order.created"], "retry_schedule": [3600]})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.api.retrying("e", 1).await;
        world.api.patch(&path_of(endpoint), &json!({"is_active": false})).await.expect(200);
        world.api.ended("e").await;
        world.settled().await;
        assert_eq!(world.rows("webhook_events").await, 1);
    }

    async fn a_delivery_that_is_put_back_and_fails_once_more_is_told_once_more(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DELIVERY_FAILED]).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.come_to("/told", 1).await;
        let delivery = world.api.ended("e").await;
        world.api.post(&format!("/api/webhooks/deliveries/{}/retry", delivery["id"].as_str().unwrap()), &json!(null)).await.expect(202);
        let told = world.come_to("/told", 2).await;
        assert_eq!([&told[0], &told[1]].map(|request| request.json()["data"]["attempt_count"].clone()), [json!(1), json!(2)]);
    }
}
