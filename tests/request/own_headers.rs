//! An endpoint's own headers are added. Those that would replace ours, or break the request, are refused.

use serde_json::{Value, json};

use super::only;
use crate::harness::{World, both_modes};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

/// Every header of ours and of the connection, in some spelling.
const RESERVED: [&str; 16] = [
    "Content-Type",
    "User-Agent",
    "X-Webhook-Signature",
    "x-webhook-event",
    "X-WEBHOOK-DELIVERY",
    "X-Webhook-Attempt",
    "x-Webhook-Timestamp",
    "X-Webhook-Test",
    "Webhook-Id",
    "WEBHOOK-TIMESTAMP",
    "webhook-signature",
    "TraceParent",
    "Host",
    "content-length",
    "Transfer-Encoding",
    "CONNECTION",
];

/// Both a registration and a change with that header are refused, and the problem names it.
async fn assert_refused(world: &World, id: i64, name: &str, value: &str) {
    let headers = json!({"X-Fine": "1", name: value});
    let new = json!({"name": "n", "url": world.receiver.url("/a"), "event_types": ["*"], "headers": headers});
    let registered = world.api.post(ENDPOINTS, &new).await;
    let changed = world.api.patch(&format!("{ENDPOINTS}/{id}"), &json!({"headers": headers})).await;
    for answer in [registered, changed] {
        assert_eq!(answer.status, 400, "{name:?}: {value:?}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["field"], format!("headers.{name}"));
        assert_eq!(answer.json["errors"].as_array().map(Vec::len), Some(1));
    }
}

both_modes! {
    async fn own_headers_are_added_to_every_attempt(setup: Setup) {
        let world = setup.await;
        let own =
            json!({"Authorization": "Bearer x.y=", "X-Own": "a, b; c=\"d\"", "x-empty": "", "Accept": "a/b", "X-Webhook": "mine"});
        world.register("/a", &json!({"headers": own, "retry_delay": 0.05})).await;
        world.register("/b", &json!({})).await;
        world.receiver.statuses("/a", [500, 204]);
        world.api.send_id("e").await;
        world.receiver.wait_for(3).await;
        world.settled().await;
        for request in world.receiver.requests_to("/a") {
            for (name, value) in own.as_object().expect("an object") {
                assert_eq!(only(&request, name), value, "{name}");
            }
            assert_eq!(only(&request, "content-type"), "application/json");
        }
        let others = world.receiver.requests_to("/b");
        assert!(["authorization", "x-own", "x-empty", "x-webhook"].iter().all(|name| others[0].headers.get(*name).is_none()));
    }

    async fn headers_that_would_replace_ours_are_refused(setup: Setup) {
        let world = setup.await;
        let id = world.register("/a", &json!({})).await;
        for name in RESERVED {
            assert_refused(&world, id, name, "x").await;
        }
    }

    async fn names_and_values_that_break_the_request_are_refused(setup: Setup) {
        let world = setup.await;
        let id = world.register("/a", &json!({"headers": {"X-Kept": "1"}})).await;
        for value in ["a\r\nX-Injected: 1", "a\rb", "a\nb", "\r", "\n", "a\r", "a\0b", "a\u{7f}"] {
            assert_refused(&world, id, "X-Own", value).await;
        }
        for name in ["", "X Own", "X-Own:", "X-Own\r\nX-Injected", "X\n", "X\r", "é", "X(Own)", "X\0"] {
            assert_refused(&world, id, name, "x").await;
        }
        world.api.send_id("e").await;
        let request = world.arrived("e").await;
        assert_eq!(only(&request, "x-kept"), "1");
        assert!(request.headers.get("x-injected").is_none());
        let listed = world.api.get(ENDPOINTS).await.expect(200);
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "what was refused is not registered");
        assert_eq!(listed["items"][0]["headers"], json!({"X-Kept": "1"}));
    }

    async fn headers_that_are_no_text_are_refused(setup: Setup) {
        let world = setup.await;
        for headers in [json!(["X-Own"]), json!("X-Own: 1"), json!({"X-Own": 1}), json!({"X-Own": ["1"]})] {
            let new = json!({"name": "n", "url": world.receiver.url("/a"), "event_types": ["*"], "headers": headers});
            let answer = world.api.post(ENDPOINTS, &new).await;
            assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/problem+json"), "{}", answer.text);
        }
        assert_eq!(world.api.get(ENDPOINTS).await.expect(200)["items"], Value::Array(Vec::new()));
    }
}
