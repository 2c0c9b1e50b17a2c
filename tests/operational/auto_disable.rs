//! An endpoint without a single success for `endpoints.disable_after` while attempts fail.

use posthaste::model::clock;
use serde_json::{Value, json};

use super::{DISABLE_AFTER, path_of};
use crate::harness::{LONG, Reply, both_modes, eventually, seconds_between, time};

both_modes! {
    async fn an_endpoint_at_which_nothing_succeeds_is_disabled_with_its_reason(setup: Setup) {
        let world = setup.set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
        world.receiver.statuses("/bad", [500]);
        let endpoint = world.tireless("/bad", &json!({})).await;
        world.event_for("/bad", "e").await;
        let failing = world.starts_to_fail(endpoint).await;
        let first = world.receiver.requests_to("/bad")[0].wall;
        let since = time(&failing["failing_since"]);
        assert!(seconds_between(first, since).abs() < 1.0, "{first} {since}");
        let disabled = world.is_disabled(endpoint).await;
        assert_eq!(disabled["failing_since"], failing["failing_since"]);
        let reason = disabled["disabled_reason"].as_str().unwrap();
        assert!(reason.starts_with("no delivery succeeded since 20") && reason.ends_with("the last error was: the receiver answered 500"), "{reason}");
        assert!(seconds_between(since, clock::now()) >= 1.0);
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["error_message"]), (&json!("failed"), &json!(format!("the endpoint is disabled: {reason}"))));
        world.settled().await;
    }

    async fn an_endpoint_that_cannot_be_reached_is_disabled_too(setup: Setup) {
        let world = setup.set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
        world.receiver.script("/bad", [Reply::drop_connection()]);
        let endpoint = world.tireless("/bad", &json!({})).await;
        world.event_for("/bad", "e").await;
        let disabled = world.is_disabled(endpoint).await;
        assert!(disabled["disabled_reason"].as_str().unwrap().contains("connection reset"), "{disabled}");
    }

    async fn one_success_now_and_then_keeps_an_endpoint(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "3").await;
        world.receiver.rule("/some", |request| Reply::status(if request.event_id().starts_with("good") { 204 } else { 500 }));
        let endpoint = world.tireless("/some", &json!({})).await;
        let started = clock::now();
        world.event_for("/some", "bad").await;
        let tries = || world.receiver.requests_to("/some").iter().filter(|request| request.event_id() == "bad").count();
        // Good ones until the bad one has failed for twice as long as is allowed.
        let mut number = 0;
        eventually(LONG, async || {
            number += 1;
            world.event_for("/some", &format!("good{number}")).await;
            (seconds_between(started, clock::now()) > 6.0 && tries() > 10).then_some(())
        })
        .await;
        assert_eq!(world.endpoint(endpoint).await["is_active"], true);
    }

    async fn a_success_takes_back_that_it_fails(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "20").await;
        world.receiver.statuses("/heals", [500]);
        let endpoint = world.tireless("/heals", &json!({})).await;
        world.event_for("/heals", "e").await;
        let failing = world.starts_to_fail(endpoint).await;
        world.receiver.statuses("/heals", [204]);
        let healed = eventually(LONG, async || Some(world.endpoint(endpoint).await).filter(|endpoint| endpoint["failing_since"] == Value::Null)).await;
        assert_eq!((&healed["is_active"], &healed["updated_at"]), (&json!(true), &failing["updated_at"]));
    }

    async fn an_endpoint_without_attempts_is_kept(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "0.5").await;
        world.receiver.statuses("/fails", [500]);
        let idle = world.tireless("/idle", &json!({})).await;
        let quiet = world.register("/fails", &json!({"event_types": ["once"], "max_retries": 1})).await;
        let other = world.tireless("/fails", &json!({})).await;
        world.api.send(&json!({"id": "once", "event_type": "once", "data": {}})).await;
        world.starts_to_fail(quiet).await;
        world.event_for("/fails", "e").await;
        world.is_disabled(other).await;
        for endpoint in [idle, quiet] {
            assert_eq!(world.endpoint(endpoint).await["is_active"], true);
        }
        // With its next attempt it has failed for long enough.
        world.api.send(&json!({"id": "again", "event_type": "once", "data": {}})).await;
        world.is_disabled(quiet).await;
    }

    async fn zero_is_never(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "0").await;
        world.receiver.statuses("/bad", [500]);
        let endpoint = world.tireless("/bad", &json!({})).await;
        let since = "2026-01-02T03:04:05Z";
        let value = if matches!(world.stores, crate::harness::Stores::Embedded { .. }) { "1".to_owned() } else { format!("'{since}'") };
        world.execute(&format!("UPDATE webhook_endpoints SET failing_since = {value} WHERE id = {endpoint}")).await;
        world.starts_to_fail(endpoint).await;
        world.event_for("/bad", "e").await;
        world.come_to("/bad", 20).await;
        assert_eq!(world.endpoint(endpoint).await["is_active"], true);
    }

    async fn an_endpoint_that_is_enabled_again_has_all_its_time_once_more(setup: Setup) {
        let world = setup.set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
        world.receiver.statuses("/bad", [500]);
        let endpoint = world.tireless("/bad", &json!({})).await;
        let by_api = async || {
            world.api.patch(&path_of(endpoint), &json!({"is_active": true})).await.expect(200);
        };
        let by_sql = async || world.execute(&format!("UPDATE webhook_endpoints SET is_active = true, disabled_reason = NULL WHERE id = {endpoint}")).await;
        world.event_for("/bad", "e0").await;
        let mut before = world.is_disabled(endpoint).await;
        for (number, sql) in [false, true].into_iter().enumerate() {
            // What is still being stopped would otherwise go on.
            world.settled().await;
            if sql { by_sql().await } else { by_api().await }
            assert_eq!(world.endpoint(endpoint).await["failing_since"], Value::Null);
            // Until it is known in every process, an event goes to nobody.
            let mut id = 0;
            eventually(LONG, async || {
                id += 1;
                world.event_for("/bad", &format!("e{number}-{id}")).await;
                (world.endpoint(endpoint).await["failing_since"] != Value::Null).then_some(())
            })
            .await;
            let after = world.is_disabled(endpoint).await;
            assert!(time(&after["failing_since"]) > time(&before["failing_since"]));
            before = after;
        }
    }
}
