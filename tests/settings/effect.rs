//! What the settings do.

use serde_json::{Value, json};

use crate::harness::{Gate, Reply, World, both_modes};

fn events(count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": "x"})).collect::<Vec<_>>().into()
}

/// How many requests ran at once, at most, of 12 that all had to wait.
async fn peak(world: &World, endpoint: &Value) -> usize {
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate)]);
    world.register("/", endpoint).await;
    world.api.send(&events(12)).await;
    // Those that did not get their turn are on the schedule by then.
    world.api.wait_for_deliveries("pending", 1).await;
    gate.open();
    world.api.wait_for_deliveries("delivered", 12).await;
    world.receiver.peak("/")
}

both_modes! {
    async fn webhook_workers_is_how_many_requests_are_in_flight_at_most(setup: Setup) {
        let world = setup.set("WEBHOOK_WORKERS", "4").set("POSTHASTE__WORKER__PARK_AFTER", "0.3").await;
        assert_eq!(peak(&world, &json!({})).await, 4);
    }

    async fn endpoint_in_flight_is_how_many_requests_one_endpoint_gets_at_once(setup: Setup) {
        let world = setup.set("POSTHASTE__LIMITS__ENDPOINT_IN_FLIGHT", "3").set("POSTHASTE__WORKER__PARK_AFTER", "0.3").await;
        assert_eq!(peak(&world, &json!({})).await, 3);
    }

    async fn an_endpoints_own_in_flight_replaces_the_setting(setup: Setup) {
        let world = setup.set("POSTHASTE__LIMITS__ENDPOINT_IN_FLIGHT", "3").set("POSTHASTE__WORKER__PARK_AFTER", "0.3").await;
        assert_eq!(peak(&world, &json!({"in_flight": 5})).await, 5);
    }

    async fn max_retries_and_retry_delay_are_what_new_endpoints_have(setup: Setup) {
        let world = setup.set("MAX_RETRIES", "2").set("RETRY_DELAY", "0.05").await;
        world.receiver.statuses("/", [500]);
        let id = world.register("/", &json!({})).await;
        let endpoint = world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200);
        assert_eq!((&endpoint["max_retries"], &endpoint["retry_delay"]), (&json!(2), &json!(0.05)));
        world.api.send_id("e").await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(2)));
    }

    async fn max_event_bytes_is_how_large_an_event_may_be(setup: Setup) {
        let world = setup.set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "200").await;
        let event = |bytes: usize| {
            let empty = json!({"id": "e", "event_type": "a", "data": ""}).to_string().len();
            json!({"id": "e", "event_type": "a", "data": "x".repeat(bytes - empty)})
        };
        world.api.post("/api/webhooks/events", &event(200)).await.expect(202);
        world.api.post("/api/webhooks/events", &event(201)).await.expect(413);
    }

    async fn guard_deny_goes_before_guard_allow(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8,10.1.0.0/16").set("POSTHASTE__GUARD__DENY", "127.0.0.7,10.1.2.0/24").await;
        let register = async |url: &str| {
            let answer = world.api.post("/api/webhooks/endpoints", &json!({"name": "a", "url": url, "event_types": ["*"]})).await;
            (answer.status, answer.json["errors"][0]["field"].clone())
        };
        for url in ["http://127.0.0.7/", "http://10.1.2.3/", "http://10.2.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://0x7f000007/"] {
            assert_eq!(register(url).await, (400, json!("url")), "{url}");
        }
        for url in ["http://127.0.0.8/", "http://10.1.3.1/", "https://192.0.3.1/"] {
            assert_eq!(register(url).await.0, 201, "{url}");
        }
    }
}
