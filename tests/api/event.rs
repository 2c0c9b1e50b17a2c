//! One event, with its data and its deliveries.

use serde_json::{Value, json};

use super::{fields, problem};
use crate::harness::{LONG, World, both_modes, eventually};

const EVENTS: &str = "/api/webhooks/events";
const DATA: &str = r#"{"b":1.0,"a":[1e3,12345678901234567890],"é":"\u00e9 x"}"#;

/// The event once it is as `wanted`.
async fn once(world: &World, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(LONG, async || Some(world.api.get(&format!("{EVENTS}/{path}")).await.expect(200)).filter(&wanted)).await
}

both_modes! {
    async fn an_event_is_shown_with_the_bytes_of_its_data_and_its_deliveries(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/bad", [500]);
        world.register("/good", &json!({"name": "good"})).await;
        world.register("/bad", &json!({"name": "bad", "max_retries": 1})).await;
        let body = format!(r#"{{"id": "e", "event_type": "order.created", "data": {}, "source": "shop", "timestamp": 12.5}}"#, DATA.replace(':', ": "));
        assert_eq!(world.api.post_text(EVENTS, &body).await.status, 202);
        world.api.send_id("another").await;
        world.api.wait_for_deliveries("delivered", 2).await;
        world.api.wait_for_deliveries("failed", 2).await;
        let answer = world.api.get(&format!("{EVENTS}/e")).await;
        assert!(answer.text.contains(&format!(r#""data":{DATA},"#)), "{}", answer.text);
        let shown = answer.expect(200);
        let listed = world.api.get(&format!("{EVENTS}?event_type=order.created")).await.expect(200)["items"][0].clone();
        for field in fields(&listed) {
            assert_eq!(shown[field], listed[field], "{field}");
        }
        assert_eq!((&shown["data_bytes"], &shown["next_cursor"], &shown["timestamp"]), (&json!(DATA.len()), &Value::Null, &json!(12.5)));
        assert!(shown["routed_at"].is_string() && shown["set_aside"].is_null(), "{shown}");
        assert_eq!(shown["deliveries"], json!(world.api.deliveries("event_id=e").await));
        assert_eq!(shown["deliveries"].as_array().unwrap().len(), 2);
    }

    async fn an_event_that_nobody_wants_is_routed_to_nobody(setup: Setup) {
        let world = setup.await;
        world.api.send_id("e").await;
        let shown = once(&world, "e", |event| event["routed_at"].is_string()).await;
        assert_eq!((&shown["deliveries"], &shown["set_aside"]), (&json!([]), &Value::Null));
    }

    async fn any_id_can_be_asked_for_with_its_marks_encoded(setup: Setup) {
        let world = setup.await;
        let marks: String = ('!'..='~').collect();
        let long = "/".repeat(255);
        for id in [&*marks, "a/b", "/", "a%2Fb", "?x=1", "...", "a..b", "events", &long] {
            world.api.send_id(id).await;
            let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(world.api.get(&format!("{EVENTS}/{encoded}")).await.expect(200)["id"], id);
        }
    }

    async fn the_same_id_of_another_tenant_is_another_event(setup: Setup) {
        let world = setup.await;
        for (tenant, data) in [("default", 1), ("acme", 2)] {
            world.register(&format!("/{tenant}"), &json!({"tenant": tenant, "name": tenant})).await;
            world.api.send(&json!({"id": "e", "event_type": "a", "data": data, "tenant": tenant})).await;
        }
        world.api.wait_for_deliveries("delivered", 2).await;
        for (query, tenant, data) in [("", "default", 1), ("?tenant=default", "default", 1), ("?tenant=acme", "acme", 2)] {
            let shown = once(&world, &format!("e{query}"), |event| event["deliveries"] != json!([])).await;
            assert_eq!((&shown["tenant"], &shown["data"]), (&json!(tenant), &json!(data)), "{query}");
            let names: Vec<_> = shown["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["endpoint_name"]).collect();
            assert_eq!(names, [tenant], "{query}");
        }
        problem(&world.api.get(&format!("{EVENTS}/e?tenant=nobody")).await, 404);
    }

    async fn more_deliveries_than_500_go_on_in_their_list(setup: Setup) {
        let world = setup.await;
        for number in 0..502 {
            world.register(&format!("/{number}"), &json!({})).await;
        }
        world.api.send_id("e").await;
        let shown = once(&world, "e", |event| event["deliveries"].as_array().unwrap().len() == 500).await;
        let rest = format!("/api/webhooks/deliveries?event_id=e&tenant=default&cursor={}", shown["next_cursor"].as_str().unwrap());
        assert_eq!(world.api.get(&rest).await.expect(200)["items"].as_array().unwrap().len(), 2);
    }

    async fn what_is_not_there_is_not_found_and_what_is_wrong_is_named(setup: Setup) {
        let world = setup.await;
        world.api.send_id("e").await;
        let long = "x".repeat(256);
        for id in ["never", "a%20b", "%C3%A9", "%00", &long, "%2E%2E%2Fe"] {
            problem(&world.api.get(&format!("{EVENTS}/{id}")).await, 404);
        }
        for (query, field) in [("tenant=a/b", "tenant"), ("tenant=", "tenant"), ("limit=1", "limit"), ("tenant=a&tenant=b", "tenant")] {
            assert_eq!(problem(&world.api.get(&format!("{EVENTS}/e?{query}")).await, 400), [field], "{query}");
        }
        assert_eq!(world.api.delete(&format!("{EVENTS}/e")).await.status, 405);
    }
}

/// What no worker looked at, and what a worker could not take.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_says_that_it_waits_or_why_it_is_set_aside() {
    let world = World::production().role("api").await;
    world.api.send_id("waits").await;
    let sql = world.sql().await;
    let spaced = "INSERT INTO webhook_events (id, event_type, data) VALUES ('spaced', 'a', '{ \"b\" : 1.0,\n \"a\": \"x  y\" }')";
    sql.batch_execute(spaced).await.unwrap();
    let large = "INSERT INTO webhook_events (id, event_type, data) VALUES ('large', 'a', to_json(repeat('x', 300000)))";
    sql.batch_execute(large).await.unwrap();
    let waits = world.api.get(&format!("{EVENTS}/waits")).await.expect(200);
    assert_eq!((&waits["routed_at"], &waits["set_aside"], &waits["deliveries"]), (&Value::Null, &Value::Null, &json!([])));
    let spaced = world.api.get(&format!("{EVENTS}/spaced")).await;
    assert!(spaced.text.contains(r#""data":{"b":1.0,"a":"x  y"},"#), "{}", spaced.text);

    let _worker = world.another("worker").await;
    let large = once(&world, "large", |event| event["set_aside"].is_string()).await;
    assert!(large["set_aside"].as_str().unwrap().contains("limits.max_event_bytes"), "{large}");
    assert_eq!((&large["data_bytes"], &large["routed_at"], large.get("data")), (&json!(300_002), &Value::Null, None));
    once(&world, "waits", |event| event["routed_at"].is_string()).await;
}

/// What retention removed is not there any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_event_is_not_found() {
    let world = World::production().role("api").await;
    world.api.send_id("e").await;
    world.api.get(&format!("{EVENTS}/e")).await.expect(200);
    world.execute("DELETE FROM webhook_events").await;
    problem(&world.api.get(&format!("{EVENTS}/e")).await, 404);
}
