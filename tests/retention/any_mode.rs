//! In production and embedded.

use serde_json::json;

use super::{event, soon};
use crate::harness::{LONG, both_modes, eventually};

both_modes! {
    async fn what_ended_goes_with_its_attempts_and_what_waits_stays_and_is_delivered(setup: Setup) {
        let mut world = soon(setup).await;
        world.receiver.statuses("/retried", [500, 204]);
        world.receiver.statuses("/waits", [500, 500, 204]);
        world.register("/good", &json!({"event_types": ["good"]})).await;
        world.register("/retried", &json!({"event_types": ["retried"], "retry_schedule": [0.05]})).await;
        world.register("/waits", &json!({"event_types": ["waits"], "retry_schedule": [0.05, 3600]})).await;
        world.api.send(&json!([event("waits"), event("good"), event("retried"), event("unmatched")])).await;
        world.receiver.wait_for(5).await;
        world.rows_become("webhook_events", 1).await;
        let waiting = world.api.deliveries("").await;
        assert_eq!((waiting.len(), &waiting[0]["event_id"], &waiting[0]["attempt_count"]), (1, &json!("waits"), &json!(2)));
        // Its own, and none of the others'.
        assert_eq!(world.rows("webhook_past_attempts").await, 1);
        world.waits_no_longer().await;
        world.receiver.wait_for(6).await;
        world.rows_become("webhook_deliveries", 0).await;
        world.rows_become("webhook_events", 0).await;
        assert_eq!((world.rows("webhook_past_attempts").await, world.receiver.count()), (0, 6));
    }

    async fn an_event_stays_until_the_last_of_its_deliveries_ended(setup: Setup) {
        let mut world = soon(setup).await;
        world.receiver.statuses("/waits", [500, 204]);
        world.register("/good", &json!({})).await;
        world.register("/waits", &json!({"retry_delay": 3600})).await;
        world.api.send(&json!([event("e")])).await;
        world.rows_become("webhook_deliveries", 1).await;
        assert_eq!(world.rows("webhook_events").await, 1);
        world.waits_no_longer().await;
        world.rows_become("webhook_events", 0).await;
        assert_eq!((world.rows("webhook_deliveries").await, world.receiver.count()), (0, 3));
        let bodies: Vec<_> = world.receiver.requests().iter().map(|request| request.body.clone()).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }

    async fn an_event_that_was_removed_is_a_new_one_when_it_comes_again(setup: Setup) {
        let world = soon(setup).await;
        world.register("/", &json!({})).await;
        world.api.send(&event("e")).await;
        world.receiver.wait_for(1).await;
        world.rows_become("webhook_events", 0).await;
        world.api.send(&event("e")).await;
        let requests = world.receiver.wait_for(2).await;
        assert_ne!(requests[0].delivery_id(), requests[1].delivery_id());
    }

    async fn more_rows_than_a_page_go_and_are_counted(setup: Setup) {
        let world = soon(setup).await;
        world.register("/a", &json!({})).await;
        world.register("/b", &json!({})).await;
        let events: Vec<_> = (0..800).map(|number| event(&format!("e{number}"))).collect();
        world.api.send(&events.into()).await;
        world.receiver.wait_for(1600).await;
        world.rows_become("webhook_deliveries", 0).await;
        world.rows_become("webhook_events", 0).await;
        assert_eq!(world.receiver.counts().len(), 1600);
        for (kind, count) in [("delivery", 1600.0), ("event", 800.0)] {
            let line = format!(r#"webhook_retention_removed_total{{kind="{kind}"}}"#);
            eventually(LONG, async || (world.api.metric(&line).await == Some(count)).then_some(())).await;
        }
    }
}
