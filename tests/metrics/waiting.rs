//! What waits, for how long, and why.

use serde_json::json;

use super::events;
use crate::harness::{Api, Gate, LONG, Reply, World, both_modes, eventually};

/// Waits until the metric is at least that much.
async fn reaches(api: &Api, line: &str, least: f64) {
    eventually(LONG, async || api.metric(line).await.is_some_and(|found| found >= least).then_some(())).await;
}

fn waits(reason: &str) -> String {
    format!("webhook_waits_total{{reason=\"{reason}\"}}")
}

both_modes! {
    async fn the_oldest_events_age_grows_while_it_waits_and_is_0_when_nothing_does(setup: Setup) {
        let world = setup
            .set("WEBHOOK_WORKERS", "1")
            .set("POSTHASTE__WORKER__CLAIM_BATCH", "1")
            .set("POSTHASTE__WORKER__PARK_AFTER", "60")
            .await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        world.register("/", &json!({})).await;
        world.api.send(&events("a", 50)).await;
        for age in [0.5, 1.5] {
            reaches(&world.api, "webhook_oldest_event_age_seconds", age).await;
        }
        reaches(&world.api, "webhook_oldest_unrouted_age_seconds", 1.5).await;
        gate.open();
        world.api.metric_becomes("webhook_oldest_event_age_seconds", 0.0).await;
        world.api.metric_becomes("webhook_oldest_unrouted_age_seconds", 0.0).await;
    }

    async fn deliveries_go_back_onto_the_schedule_for_a_reason(setup: Setup) {
        let world = setup.set("RETRY_DELAY", "0.05").set("POSTHASTE__BREAKER__SILENT", "2").await;
        world.receiver.statuses("/fails", [500, 500, 204]);
        world.api.deliver("fails", &world.receiver.url("/fails"), &json!({})).await;
        world.api.metric_becomes(&waits("retry"), 2.0).await;
        let limited = json!({"event_types": ["limited"], "rate_limit": {"max_requests": 1, "window": 20}});
        world.register("/limited", &limited).await;
        world.api.send(&events("limited", 4)).await;
        reaches(&world.api, &waits("rate_limit"), 3.0).await;
        reaches(&world.api, "webhook_rate_limited_total", 3.0).await;
        world.receiver.script("/hangs", [Reply::hang()]);
        world.register("/hangs", &json!({"event_types": ["hangs"], "timeout": 0.1, "in_flight": 1, "max_retries": 1000})).await;
        world.api.send(&events("hangs", 20)).await;
        reaches(&world.api, &waits("broken"), 1.0).await;
    }

    async fn a_broken_endpoint_is_shown_by_its_name_until_it_is_well(setup: Setup) {
        let world = setup.set("RETRY_DELAY", "0.05").set("POSTHASTE__BREAKER__SILENT", "2").set("POSTHASTE__BREAKER__MAX_PAUSE", "0.2").await;
        let hanging = world.receiver.hanging("/");
        let endpoint = json!({"name": "shop", "timeout": 0.1, "max_retries": 1000});
        world.register("/", &endpoint).await;
        world.api.send(&events("a", 5)).await;
        let shown = "webhook_endpoint_broken{endpoint_name=\"shop\"}";
        world.api.metric_becomes(shown, 1.0).await;
        let state = async |state: &str| world.api.metric(&format!("webhook_breakers{{state=\"{state}\"}}")).await;
        eventually(LONG, async || (state("open").await? + state("half_open").await? >= 1.0).then_some(())).await;
        hanging.mend();
        world.api.metric_becomes(shown, 0.0).await;
        world.api.metric_becomes("webhook_endpoints_broken", 0.0).await;
    }

    async fn the_time_from_the_event_to_the_2xx_has_all_attempts_in_it(setup: Setup) {
        let world = setup.set("RETRY_DELAY", "0.4").set("POSTHASTE__RETRY__JITTER", "0").await;
        world.receiver.statuses("/", [500, 204]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        reaches(&world.api, "webhook_end_to_end_seconds_sum{endpoint_name=\"e\"}", 0.4).await;
        assert_eq!(world.api.metric("webhook_end_to_end_seconds_count{endpoint_name=\"e\"}").await, Some(1.0));
        assert_eq!(world.api.metric("webhook_attempts_to_success_sum").await, Some(2.0));
        for (class, count) in [("2xx", 1.0), ("5xx", 1.0)] {
            let line = format!("webhook_endpoint_outcomes_total{{class=\"{class}\",endpoint_name=\"e\"}}");
            assert_eq!(world.api.metric(&line).await, Some(count), "{class}");
        }
    }

    async fn names_beyond_the_settings_share_one_label(setup: Setup) {
        let world = setup.set("POSTHASTE__METRICS__MAX_ENDPOINTS", "1").set("POSTHASTE__METRICS__MAX_EVENT_TYPES", "2").await;
        for name in ["a", "b", "c"] {
            world.api.deliver(name, &world.receiver.url("/"), &json!({})).await;
            world.api.ended(name).await;
        }
        let attempts = |name: &str| format!("webhook_delivery_attempts_total{{attempt_number=\"1\",endpoint_name=\"{name}\"}}");
        assert_eq!((world.api.metric(&attempts("a")).await, world.api.metric(&attempts("other")).await), (Some(1.0), Some(2.0)));
        let delivered = |name: &str| format!("webhook_events_total{{event_type=\"{name}\",status=\"delivered\"}}");
        assert_eq!((world.api.metric(&delivered("b")).await, world.api.metric(&delivered("other")).await), (Some(1.0), Some(1.0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_and_what_is_not_routed_gets_later_while_no_worker_runs() {
    let world = World::production().role("api").set("RETRY_DELAY", "0.3").await;
    world.receiver.statuses("/", [500]);
    world.register("/", &json!({})).await;
    let worker = world.another("worker").await;
    assert_eq!(
        (worker.api().metric("webhook_worker_running").await, world.api.metric("webhook_worker_running").await),
        (Some(1.0), Some(0.0))
    );
    world.api.send_id("waits").await;
    world.api.retrying("waits", 1).await;
    drop(worker);
    world.api.send_id("unrouted").await;
    reaches(&world.api, "webhook_oldest_delivery_lateness_seconds", 1.0).await;
    reaches(&world.api, "webhook_oldest_unrouted_age_seconds", 1.0).await;
    reaches(&world.api, "webhook_oldest_event_age_seconds", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_every_store_are_timed() {
    for (setup, calls) in [
        (World::production(), &["postgres,record", "postgres,known", "redis,settle", "redis,reserve", "redis,depth", "redis,oldest"][..]),
        (World::embedded(), &["sqlite,write", "sqlite,read"]),
    ] {
        let world = setup.await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        world.api.ended("e").await;
        for call in calls {
            let (backend, call) = call.split_once(',').unwrap();
            let labels = format!("{{backend=\"{backend}\",call=\"{call}\"}}");
            reaches(&world.api, &format!("webhook_backend_call_seconds_count{labels}"), 1.0).await;
            assert_eq!(world.api.metric(&format!("webhook_backend_call_errors_total{labels}")).await, Some(0.0), "{labels}");
        }
    }
}
