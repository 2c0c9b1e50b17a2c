//! What a diagnosis finds, and what it advises.

use serde_json::{Value, json};

use super::path;
use crate::harness::{Authority, Door, LONG, Raw, Reply, World, both_modes, eventually};
use crate::tls::answers;

async fn diagnose(world: &World, endpoint: i64) -> Value {
    world.api.get(&path(endpoint, "diagnose")).await.expect(200)
}

/// The issue with this in it, whose recommendation has that in it.
fn assert_found(found: &Value, issue: &str, recommendation: &str) {
    let texts = |field: &str| found[field].as_array().cloned().unwrap_or_default();
    assert_eq!(texts("issues").len(), texts("recommendations").len(), "{found}");
    let has = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
    let mut pairs = texts("issues").into_iter().zip(texts("recommendations"));
    assert!(pairs.any(|(one, other)| has(&one, issue) && has(&other, recommendation)), "{issue} / {recommendation} in {found}");
}

fn assert_well(found: &Value) {
    assert_eq!((&found["issues"], &found["recommendations"]), (&json!([]), &json!([])), "{found}");
}

fn events(count: usize) -> Vec<String> {
    (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": number}).to_string()).collect()
}

both_modes! {
    async fn an_endpoint_that_is_well_has_no_issues(setup: Setup) {
        let world = setup.await;
        world.receiver.rule("/", |request| Reply::status(if request.method == "HEAD" { 405 } else { 204 }));
        let endpoint = world.register("/", &json!({"name": "shop"})).await;
        world.enqueue(Door::Http, &events(12)).await;
        world.api.wait_for_deliveries("delivered", 12).await;
        let found = diagnose(&world, endpoint).await;
        assert_well(&found);
        assert_eq!((&found["endpoint_id"], &found["endpoint_name"], &found["is_active"]), (&json!(endpoint), &json!("shop"), &json!(true)));
        assert_eq!((&found["recent_delivery_count"], &found["failed_delivery_count"]), (&json!(10), &json!(0)));
        assert!(found["avg_response_time"].as_f64().is_some_and(|mean| mean > 0.0 && mean < 5.0), "{found}");
        assert_eq!((&found["way"]["head_status"], &found["way"]["addresses"][0]["address"]), (&json!(405), &json!("127.0.0.1")));
        let head = world.receiver.requests().into_iter().find(|request| request.method == "HEAD").expect("it looked");
        assert!(head.body.is_empty() && head.header("webhook-signature").is_empty());
    }

    async fn failures_and_what_is_held_back_are_found(setup: Setup) {
        let world = setup.set("POSTHASTE__BREAKER__FAILURES", "3").set("POSTHASTE__BREAKER__AFTER", "0").set("POSTHASTE__BREAKER__PAUSE", "600")
            .set("POSTHASTE__BREAKER__MAX_PAUSE", "600").await;
        world.receiver.rule("/", |_| Reply::status(500));
        let endpoint = world.register("/", &json!({"max_retries": 1, "in_flight": 8})).await;
        world.enqueue(Door::Http, &events(8)).await;
        world.api.wait_for_deliveries("failed", 8).await;
        eventually(LONG, async || (diagnose(&world, endpoint).await["breaker"]["state"] == "open").then_some(())).await;
        let found = diagnose(&world, endpoint).await;
        assert_found(&found, "8 of the last 8 deliveries failed, the latest: the receiver answered 500", "posthaste deliveries list");
        assert_found(&found, "left alone until", "mend the receiver");
        assert_found(&found, "answers a HEAD request with 500", "log");
        let path = format!("/api/webhooks/endpoints/{endpoint}");
        world.api.patch(&path, &json!({"is_active": false})).await.expect(200);
        assert_found(&diagnose(&world, endpoint).await, "disabled by its owner", "--active true");
    }

    async fn each_way_not_to_reach_a_receiver_is_told_from_the_others(setup: Setup) {
        let world = setup.await;
        let deaf = Raw::deaf().await;
        let _hanging = world.receiver.hanging("/hangs");
        let plain = world.receiver.url("/").replace("http://", "https://");
        for (url, issue, recommendation) in [
            ("http://127.0.0.1:1/".to_owned(), "127.0.0.1 refuses connections", "listens on this port"),
            ("http://no.such.name.invalid/".to_owned(), "no.such.name.invalid does not resolve", "typing error"),
            (format!("http://{}/", deaf.address()), "127.0.0.1 does not answer on its port", "firewall"),
            (world.receiver.url("/hangs"), "takes connections and does not answer", "application"),
            (plain, "no TLS connection", "certificate"),
        ] {
            let endpoint = world.api.register(&url, &json!({})).await.id;
            let found = diagnose(&world, endpoint).await;
            assert_found(&found, issue, recommendation);
            assert_eq!(found["issues"].as_array().map(Vec::len), Some(1), "{found}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_soon_expires_is_found_before_it_does() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    for (days, soon) in [(3, true), (40, false)] {
        let receiver = authority.expiring(&["127.0.0.1"], days).serve("http/1.1", answers).await;
        let endpoint = world.api.register(&format!("https://{}/", receiver.address()), &json!({})).await.id;
        let found = diagnose(&world, endpoint).await;
        if soon {
            assert_found(&found, "certificate expires in 2 days", "renew");
        } else {
            assert_well(&found);
        }
        assert!(found["way"]["certificate_expires_at"].is_string(), "{found}");
    }
    let expired = authority.expired(&["127.0.0.1"]).serve("http/1.1", answers).await;
    let endpoint = world.api.register(&format!("https://{}/", expired.address()), &json!({})).await.id;
    assert_found(&diagnose(&world, endpoint).await, "expired", "renew");
}
