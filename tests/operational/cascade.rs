//! An operational event never causes another.

use serde_json::json;

use super::{DELIVERY_FAILED, DISABLE_AFTER, DISABLED, RECOVERED};
use crate::harness::both_modes;

const ALL: [&str; 3] = [DELIVERY_FAILED, DISABLED, RECOVERED];

both_modes! {
    async fn a_listener_that_fails_is_not_told_of_that(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/told", [500]);
        world.register("/told", &json!({"event_types": ALL, "max_retries": 2, "retry_delay": 0.01})).await;
        world.listens("/other", &ALL).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        let events: Vec<_> = (0..10).map(|number| json!({"id": format!("e{number}"), "event_type": "order.created", "data": {}})).collect();
        world.api.send(&events.into()).await;
        world.come_to("/told", 20).await;
        world.settled().await;
        assert_eq!(["/bad", "/told", "/other"].map(|path| world.receiver.requests_to(path).len()), [10, 20, 10]);
        assert_eq!(world.rows("webhook_events").await, 20);
    }

    async fn a_listener_that_is_disabled_for_what_it_did_with_one_is_not_told(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/gone", [410]);
        let gone = world.listens("/gone", &ALL).await;
        world.listens("/other", &[DISABLED]).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.is_disabled(gone).await;
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/other").len(), 0);
        assert_eq!(world.rows("webhook_events").await, 2);
    }

    async fn a_listener_that_fails_for_too_long_is_disabled_and_not_told(setup: Setup) {
        let world = setup.set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
        world.receiver.statuses("/told", [500]);
        let listener = world.tireless("/told", &json!({"event_types": ALL})).await;
        world.listens("/other", &[DISABLED, RECOVERED]).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.is_disabled(listener).await;
        world.settled().await;
        assert_eq!((world.receiver.requests_to("/other").len(), world.rows("webhook_events").await), (0, 2));
    }

    async fn a_listener_that_recovers_with_one_is_not_told(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "20").await;
        world.receiver.statuses("/told", [500]);
        let listener = world.tireless("/told", &json!({"event_types": ALL})).await;
        world.receiver.statuses("/bad", [500]);
        world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": {}})).await;
        world.starts_to_fail(listener).await;
        world.receiver.statuses("/told", [204]);
        world.settled().await;
        assert_eq!((world.rows("webhook_events").await, &world.endpoint(listener).await["failing_since"]), (2, &json!(null)));
    }
}
