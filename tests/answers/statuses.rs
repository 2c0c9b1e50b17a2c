//! Every status has its meaning.

use serde_json::{Value, json};

use crate::harness::{Reply, World, both_modes};

const DELIVERED: [u16; 8] = [200, 201, 202, 203, 204, 206, 226, 299];
const FAILED: [u16; 25] =
    [300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 418, 422, 429, 500, 501, 502, 503, 504, 599];

/// An endpoint for each status, which answers with it first and with 204 after that.
async fn register_all(world: &World, statuses: &[u16]) {
    for status in statuses {
        let path = format!("/{status}");
        world.receiver.statuses(&path, [*status, 204]);
        let more = json!({"name": status.to_string(), "max_retries": 2, "retry_delay": 0.01});
        world.register(&path, &more).await;
    }
}

/// All deliveries, once that many are delivered, with their attempts.
async fn delivered(world: &World, count: usize) -> Vec<Value> {
    let mut with_attempts = Vec::new();
    for delivery in world.api.wait_for_deliveries("delivered", count).await {
        with_attempts.push(world.api.delivery(delivery["id"].as_str().unwrap()).await);
    }
    with_attempts
}

both_modes! {
    async fn a_status_from_200_to_299_is_delivered(setup: Setup) {
        let world = setup.await;
        register_all(&world, &DELIVERED).await;
        world.api.send_id("e").await;
        for delivery in delivered(&world, DELIVERED.len()).await {
            assert_eq!(delivery["endpoint_name"], delivery["response_status"].to_string(), "{delivery}");
            assert_eq!((&delivery["attempt_count"], &delivery["error_message"]), (&json!(1), &Value::Null), "{delivery}");
        }
        assert_eq!(world.receiver.count(), DELIVERED.len());
    }

    async fn any_other_status_is_a_failed_attempt_and_another_follows(setup: Setup) {
        let world = setup.await;
        register_all(&world, &FAILED).await;
        world.api.send_id("e").await;
        for delivery in delivered(&world, FAILED.len()).await {
            let attempts = delivery["attempts"].as_array().unwrap();
            assert_eq!((attempts.len(), &delivery["attempt_count"]), (2, &json!(2)), "{delivery}");
            let status = delivery["endpoint_name"].as_str().unwrap();
            assert_eq!(attempts[0]["response_status"].to_string(), status, "{delivery}");
            assert!(attempts[0]["error_message"].as_str().unwrap().contains(status), "{delivery}");
            assert_eq!((&attempts[1]["response_status"], &attempts[1]["error_message"]), (&json!(204), &Value::Null), "{delivery}");
        }
    }

    async fn a_redirect_is_never_followed(setup: Setup) {
        let world = setup.await;
        let statuses = [301, 302, 303, 307, 308];
        for status in statuses {
            let path = format!("/{status}");
            world.receiver.script(&path, [Reply::with_header(status, "Location", &world.receiver.url("/elsewhere"))]);
            world.register(&path, &json!({"max_retries": 1})).await;
        }
        world.api.send_id("e").await;
        let failed = world.api.wait_for_deliveries("failed", statuses.len()).await;
        assert!(failed.iter().all(|delivery| delivery["response_status"].as_u64().unwrap() / 100 == 3), "{failed:?}");
        assert_eq!(world.receiver.count(), statuses.len());
        assert!(world.receiver.requests_to("/elsewhere").is_empty());
    }

    async fn status_410_fails_the_delivery_at_once_and_disables_the_endpoint_with_that_reason(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/gone", [410, 204]);
        let gone = world.register("/gone", &json!({"name": "gone", "max_retries": 5, "retry_delay": 0.01})).await;
        world.register("/other", &json!({"name": "other"})).await;
        world.api.send_id("first").await;
        let failed = world.api.wait_for_deliveries("failed", 1).await.remove(0);
        assert_eq!((&failed["endpoint_name"], &failed["attempt_count"], &failed["response_status"]), (&json!("gone"), &json!(1), &json!(410)));
        let path = format!("/api/webhooks/endpoints/{gone}");
        let endpoint = world.api.get(&path).await.expect(200);
        assert_eq!(endpoint["is_active"], false);
        assert!(endpoint["disabled_reason"].as_str().unwrap().contains("410"), "{endpoint}");

        world.api.metric_becomes("webhook_endpoints_active", 1.0).await;
        world.api.send_id("second").await;
        world.api.wait_for_deliveries("delivered", 2).await;
        assert_eq!(world.api.deliveries("event_id=second").await.len(), 1);
        assert_eq!(world.receiver.requests_to("/gone").len(), 1);

        let endpoint = world.api.patch(&path, &json!({"is_active": true})).await.expect(200);
        assert_eq!((&endpoint["is_active"], &endpoint["disabled_reason"]), (&json!(true), &Value::Null));
        world.api.send_id("third").await;
        world.api.wait_for_deliveries("delivered", 4).await;
        assert_eq!(world.receiver.requests_to("/gone").len(), 2);
    }
}
