//! An endpoint is tried out at once: by a test event, and by a look at what an engineer would look at.

mod diagnose;

use serde_json::{Value, json};

use crate::harness::{Reply, World, both_modes};

pub(crate) fn path(endpoint: i64, what: &str) -> String {
    format!("/api/webhooks/{endpoint}/{what}")
}

both_modes! {
    async fn a_test_is_sent_now_signed_and_marked_and_is_no_delivery(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::full(200, &[], b"thanks")]);
        let endpoint = world.register("/", &json!({"headers": {"X-Own": "mine"}})).await;
        let tested = world.api.post_text(&path(endpoint, "test"), "").await.expect(200);
        assert_eq!((&tested["success"], &tested["status_code"], &tested["response_body"]), (&json!(true), &json!(200), &json!("thanks")));
        assert!(tested["response_time"].as_f64().is_some_and(|seconds| seconds > 0.0), "{tested}");
        let request = world.receiver.wait_for(1).await.remove(0);
        assert_eq!(request.json(), tested["test_event"]);
        assert_eq!(tested["test_event"]["event_type"], "test_event");
        for (name, value) in [("x-webhook-test", "true"), ("x-webhook-attempt", "1"), ("x-webhook-event", "test_event"), ("x-own", "mine")] {
            assert_eq!(request.header(name), value, "{name}");
        }
        assert!(request.header("webhook-signature").starts_with("v1,") && request.header("x-webhook-signature").starts_with("sha256="));
        world.settled().await;
        assert_eq!((world.rows("webhook_deliveries").await, world.rows("webhook_events").await), (0, 0));
    }

    async fn a_test_of_an_endpoint_that_is_disabled_or_fails_changes_nothing(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::status(410), Reply::status(500)]);
        let endpoint = world.register("/", &json!({"is_active": false})).await;
        for status in [410, 500] {
            let event = json!({"id": "mine", "event_type": "order.created", "data": {"n": 1}});
            let tested = world.api.post(&path(endpoint, "test"), &event).await.expect(200);
            assert_eq!((&tested["success"], &tested["status_code"]), (&json!(false), &json!(status)));
            assert_eq!(tested["test_event"]["id"], "mine");
        }
        let shown = world.api.get(&format!("/api/webhooks/endpoints/{endpoint}")).await.expect(200);
        assert_eq!((&shown["is_active"], &shown["disabled_reason"]), (&json!(false), &Value::Null));
    }

    async fn a_test_that_gets_no_answer_says_why(setup: Setup) {
        let world = setup.await;
        let endpoint = world.api.register("http://127.0.0.1:1/", &json!({})).await.id;
        let tested = world.api.post_text(&path(endpoint, "test"), "").await.expect(200);
        let fields: Vec<_> = tested.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!((fields, &tested["success"]), (vec!["error", "success", "test_event"], &json!(false)));
        assert!(tested["error"].as_str().is_some_and(|error| error.starts_with("connection refused")), "{tested}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_holds_for_tests_and_for_a_diagnosis() {
    let world = World::embedded().set("POSTHASTE__GUARD__DENY", "127.0.0.0/8,::1/128").await;
    let endpoint = world.api.register("http://localhost:1/", &json!({})).await.id;
    let tested = world.api.post_text(&path(endpoint, "test"), "").await.expect(200);
    assert!(tested["error"].as_str().is_some_and(|error| error.starts_with("blocked address")), "{tested}");
    let found = world.api.get(&path(endpoint, "diagnose")).await.expect(200);
    assert!(found["issues"][0].as_str().is_some_and(|issue| issue.contains("not allowed")), "{found}");
    assert_eq!(found["way"]["connect_time"], Value::Null);
}
