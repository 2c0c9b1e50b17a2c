//! `/metrics`: names and labels that dashboards rely on, and that they count right.

mod waiting;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Gate, LONG, Reply, World, both_modes, eventually};

fn events(event_type: &str, count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("{event_type}{number}"), "event_type": event_type, "data": 1})).collect::<Vec<_>>().into()
}

/// The names of the labels that the samples of a metric have, but for `le`.
fn labels(text: &str, metric: &str) -> BTreeSet<String> {
    let own = text.lines().filter_map(|line| line.strip_prefix(metric));
    let sets = own.filter_map(|rest| rest.strip_prefix('{')?.split_once('}').map(|(labels, _)| labels.to_owned()));
    let names = sets.flat_map(|labels| labels.split(',').map(|label| label.split('=').next().unwrap().to_owned()).collect::<Vec<_>>());
    names.filter(|name| name != "le").collect()
}

/// Three delivered at once, one delivered at the third attempt, one failed after two.
async fn some_of_everything(world: &World) {
    world.receiver.statuses("/retried", [500, 503, 204]);
    world.receiver.statuses("/failed", [500]);
    let endpoint = |name: &str, event_type: &str, max: u32| json!({"name": name, "event_types": [event_type], "max_retries": max, "retry_delay": 0.02});
    world.register("/good", &endpoint("good", "order.created", 3)).await;
    world.register("/retried", &endpoint("retried", "order.paid", 3)).await;
    world.register("/failed", &endpoint("failed", "order.lost", 2)).await;
    world.api.send(&events("order.created", 3)).await;
    world.api.send(&events("order.paid", 1)).await;
    world.api.send(&events("order.lost", 1)).await;
    world.api.send(&events("order.ignored", 2)).await;
    world.api.wait_for_deliveries("delivered", 4).await;
    world.api.wait_for_deliveries("failed", 1).await;
}

both_modes! {
    async fn names_and_labels_are_exactly_those_that_others_rely_on(setup: Setup) {
        let world = setup.await;
        some_of_everything(&world).await;
        let answer = world.api.get("/metrics").await;
        assert!(answer.content_type.starts_with("text/plain"), "{}", answer.content_type);
        let expected: [(&str, &str, &[&str]); 5] = [
            ("webhook_events_total", "counter", &["event_type", "status"]),
            ("webhook_delivery_duration_seconds", "histogram", &["endpoint_name", "event_type"]),
            ("webhook_delivery_attempts_total", "counter", &["attempt_number", "endpoint_name"]),
            ("webhook_queue_size", "gauge", &[]),
            ("webhook_endpoints_active", "gauge", &[]),
        ];
        for (name, kind, own) in expected {
            assert!(answer.text.lines().any(|line| line == format!("# TYPE {name} {kind}")), "{name} is a {kind}:\n{}", answer.text);
            let sample = if kind == "histogram" { format!("{name}_bucket") } else { name.to_owned() };
            assert_eq!(labels(&answer.text, &sample), own.iter().map(|label| (*label).to_owned()).collect(), "{name}");
        }
    }

    async fn events_deliveries_and_attempts_are_counted(setup: Setup) {
        let world = setup.await;
        some_of_everything(&world).await;
        let expected = [
            (r#"webhook_events_total{event_type="order.created",status="triggered"}"#, 3.0),
            (r#"webhook_events_total{event_type="order.created",status="delivered"}"#, 3.0),
            (r#"webhook_events_total{event_type="order.paid",status="triggered"}"#, 1.0),
            (r#"webhook_events_total{event_type="order.paid",status="delivered"}"#, 1.0),
            (r#"webhook_events_total{event_type="order.lost",status="triggered"}"#, 1.0),
            (r#"webhook_events_total{event_type="order.lost",status="failed"}"#, 1.0),
            (r#"webhook_events_total{event_type="order.ignored",status="triggered"}"#, 2.0),
            (r#"webhook_delivery_attempts_total{attempt_number="1",endpoint_name="good"}"#, 3.0),
            (r#"webhook_delivery_attempts_total{attempt_number="1",endpoint_name="retried"}"#, 1.0),
            (r#"webhook_delivery_attempts_total{attempt_number="2",endpoint_name="retried"}"#, 1.0),
            (r#"webhook_delivery_attempts_total{attempt_number="3",endpoint_name="retried"}"#, 1.0),
            (r#"webhook_delivery_attempts_total{attempt_number="2",endpoint_name="failed"}"#, 1.0),
            (r#"webhook_delivery_duration_seconds_count{endpoint_name="good",event_type="order.created"}"#, 3.0),
            (r#"webhook_delivery_duration_seconds_count{endpoint_name="retried",event_type="order.paid"}"#, 3.0),
            (r#"webhook_delivery_duration_seconds_bucket{endpoint_name="good",event_type="order.created",le="+Inf"}"#, 3.0),
        ];
        for (line, value) in expected {
            world.api.metric_becomes(line, value).await;
        }
        for line in [
            r#"webhook_events_total{event_type="order.paid",status="failed"}"#,
            r#"webhook_events_total{event_type="order.lost",status="delivered"}"#,
            r#"webhook_delivery_attempts_total{attempt_number="3",endpoint_name="failed"}"#,
        ] {
            assert_eq!(world.api.metric(line).await, None, "{line}");
        }
    }

    async fn durations_are_seconds_of_whole_requests(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::status(204).after(std::time::Duration::from_millis(300))]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        let took = world.api.ended("e").await["response_time"].as_f64().unwrap();
        let labels = r#"{endpoint_name="e",event_type="e"}"#;
        let sum = world.api.metric(&format!("webhook_delivery_duration_seconds_sum{labels}")).await.unwrap();
        assert!((sum - took).abs() < 0.001 && sum >= 0.3, "{sum} and {took}");
    }

    async fn the_queue_size_is_how_many_events_wait_for_a_worker(setup: Setup) {
        let settings = [("WEBHOOK_WORKERS", "1"), ("CLAIM_BATCH", "1"), ("PARK_AFTER", "60"), ("INTERVAL", "0.1")];
        let world = setup
            .set(settings[0].0, settings[0].1)
            .set("POSTHASTE__WORKER__CLAIM_BATCH", settings[1].1)
            .set("POSTHASTE__WORKER__PARK_AFTER", settings[2].1)
            .set("POSTHASTE__SWEEP__INTERVAL", settings[3].1)
            .await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        world.register("/", &json!({})).await;
        world.api.send(&events("a", 50)).await;
        world.receiver.wait_for(1).await;
        // One is on its way, and few more are claimed.
        let waits = |size: &f64| (40.0..50.0).contains(size);
        eventually(LONG, async || world.api.metric("webhook_queue_size").await.filter(waits)).await;
        gate.open();
        world.receiver.wait_for(50).await;
        world.api.metric_becomes("webhook_queue_size", 0.0).await;
    }

    async fn active_endpoints_are_counted(setup: Setup) {
        let world = setup.await;
        world.api.metric_becomes("webhook_endpoints_active", 0.0).await;
        let mut ids = Vec::new();
        for path in ["/a", "/b", "/c"] {
            ids.push(world.register(path, &json!({})).await);
        }
        world.api.metric_becomes("webhook_endpoints_active", 3.0).await;
        world.api.patch(&format!("/api/webhooks/endpoints/{}", ids[0]), &json!({"is_active": false})).await.expect(200);
        world.api.delete(&format!("/api/webhooks/endpoints/{}", ids[1])).await.expect(204);
        world.api.metric_becomes("webhook_endpoints_active", 1.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_has_metrics() {
    let world = World::production().await;
    for role in ["api", "worker"] {
        let process = world.another(role).await;
        process.api().metric_becomes("webhook_endpoints_active", 0.0).await;
        world.register("/", &json!({})).await;
        process.api().metric_becomes("webhook_endpoints_active", 1.0).await;
        let id = world.api.get("/api/webhooks/endpoints").await.json["items"][0]["id"].clone();
        world.api.delete(&format!("/api/webhooks/endpoints/{id}")).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_door_1_count_as_waiting_and_as_triggered() {
    let mut world = World::production().set("POSTHASTE__SWEEP__INTERVAL", "0.1").await;
    world.register("/", &json!({})).await;
    world.push(&[r#"{"id":"e","event_type":"a","data":1}"#.to_owned()]).await;
    world.api.metric_becomes(r#"webhook_events_total{event_type="a",status="delivered"}"#, 1.0).await;
    world.api.metric_becomes(r#"webhook_events_total{event_type="a",status="triggered"}"#, 1.0).await;
    world.start_again().await;
    assert_eq!(world.api.metric(r#"webhook_events_total{event_type="a",status="triggered"}"#).await, None);
}
