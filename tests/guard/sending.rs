//! The guard decides again whenever a request goes out.

use serde_json::{Value, json};

use crate::harness::{Receiver, World, both_modes};

/// Registers an endpoint, and writes another URL into the table.
async fn smuggle(world: &World, name: &str, url: &str) {
    let endpoint = json!({"name": name, "event_types": [name], "max_retries": 1, "timeout": 10, "is_active": false});
    let id = world.api.register("https://example.com/", &endpoint).await.id;
    let active = world.api.metric("webhook_endpoints_active").await.unwrap_or_default();
    world.execute(&format!("UPDATE webhook_endpoints SET url = '{url}', is_active = true WHERE id = {id}")).await;
    world.api.metric_becomes("webhook_endpoints_active", active + 1.0).await;
}

async fn attempt(world: &World, name: &str) -> Value {
    world.api.send(&json!({"id": name, "event_type": name, "data": {}})).await;
    world.api.ended(name).await
}

both_modes! {
    async fn a_url_that_came_into_the_table_otherwise_is_a_failed_attempt_that_names_the_address(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "").await;
        let port = world.receiver.port();
        let cases = [
            ("plain", format!("http://127.0.0.1:{port}/"), "127.0.0.1"),
            ("short", format!("http://127.1:{port}/"), "127.0.0.1"),
            ("decimal", format!("http://2130706433:{port}/"), "127.0.0.1"),
            ("hex", format!("http://0x7f000001:{port}/"), "127.0.0.1"),
            ("mapped", format!("http://[::ffff:127.0.0.1]:{port}/"), "127.0.0.1"),
            ("localhost", format!("http://localhost:{port}/"), "127.0.0.1"),
            ("capitals", format!("http://LOCALHOST:{port}/"), "127.0.0.1"),
            ("metadata", "http://169.254.169.254/latest/meta-data/".to_owned(), "169.254.169.254"),
        ];
        for (name, url, address) in &cases {
            smuggle(&world, name, url).await;
            let delivery = attempt(&world, name).await;
            let error = delivery["error_message"].as_str().unwrap_or_default();
            assert!(delivery["status"] == "failed" && error.starts_with("blocked address"), "{delivery}");
            assert!(error.contains(address) || url.to_lowercase().contains("localhost") && error.contains("::1"), "{delivery}");
        }
        assert_eq!(world.receiver.connections(), 0);
    }

    async fn what_is_allowed_is_reached_over_kept_connections_and_what_is_denied_is_not(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8").set("POSTHASTE__GUARD__DENY", "::ffff:127.0.0.2/128").await;
        let url = format!("http://localhost:{}/", world.receiver.port());
        world.api.register(&url, &json!({"event_types": ["test.event"], "in_flight": 1})).await;
        for number in 0..5 {
            world.api.send_id(&number.to_string()).await;
            world.api.ended(&number.to_string()).await;
        }
        assert_eq!((world.receiver.count(), world.receiver.connections()), (5, 1));
        smuggle(&world, "denied", &format!("http://127.0.0.2:{}/", world.receiver.port())).await;
        let delivery = attempt(&world, "denied").await;
        assert_eq!(delivery["error_message"], "blocked address: 127.0.0.2 is denied by guard.deny", "{delivery}");
    }

    async fn https_only_holds_at_registration_and_when_sending(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__HTTPS_ONLY", "true").await;
        let endpoint = json!({"name": "a", "url": world.receiver.url("/"), "event_types": ["*"]});
        let answer = world.api.post("/api/webhooks/endpoints", &endpoint).await;
        assert!(answer.status == 400 && answer.text.contains("guard.https_only"), "{}", answer.text);
        smuggle(&world, "plain", &world.receiver.url("/")).await;
        let delivery = attempt(&world, "plain").await;
        assert!(delivery["error_message"].as_str().unwrap_or_default().contains("guard.https_only"), "{delivery}");
        assert_eq!(world.receiver.connections(), 0);
    }

    async fn a_proxy_of_the_environment_is_not_used(setup: Setup) {
        let proxy = Receiver::start().await;
        let url = proxy.url("");
        let world = setup.set("http_proxy", &url).set("HTTP_PROXY", &url).set("ALL_PROXY", &url).set("HTTPS_PROXY", &url).await;
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        assert_eq!(world.api.ended("e").await["status"], "delivered");
        assert_eq!((world.receiver.count(), proxy.connections()), (1, 0));
    }
}
