//! One failed delivery is put back.

use serde_json::json;

use super::path_of;
use crate::harness::{Launch, Postgres, Receiver, Redis, Stores, World, both_modes, watchdog, world};

fn retry_of(delivery: &serde_json::Value) -> String {
    format!("/api/webhooks/deliveries/{}/retry", delivery["id"].as_str().unwrap())
}

/// A delivery whose only attempt failed; what follows is delivered.
async fn failed(world: &World) -> (i64, serde_json::Value) {
    world.receiver.statuses("/", [500, 204]);
    let endpoint = world.register("/", &json!({"max_retries": 1})).await;
    world.api.send_id("e").await;
    (endpoint, world.api.ended("e").await)
}

both_modes! {
    async fn a_failed_delivery_is_sent_again_with_the_next_number(setup: Setup) {
        let world = setup.await;
        let (_, delivery) = failed(&world).await;
        let answer = world.api.post(&retry_of(&delivery), &json!(null)).await.expect(202);
        assert_eq!((&answer["id"], &answer["status"], &answer["attempt_count"]), (&delivery["id"], &json!("retrying"), &json!(1)));
        let done = world.api.delivery_of("e", |delivery| delivery["status"] == "delivered").await;
        assert_eq!((&done["id"], &done["attempt_count"]), (&delivery["id"], &json!(2)));
        let requests = world.receiver.requests();
        assert_eq!((requests.len(), requests[1].attempt(), requests[1].delivery_id()), (2, 2, requests[0].delivery_id()));
    }

    async fn what_is_not_failed_is_a_conflict_that_says_what_it_is(setup: Setup) {
        let world = setup.await;
        world.waiting("/waits", 1).await;
        let waiting = world.api.wait_for_deliveries("retrying", 1).await.remove(0);
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        let delivered = world.api.wait_for_deliveries("delivered", 1).await.remove(0);
        for (delivery, status) in [(waiting, "retrying"), (delivered, "delivered")] {
            let refused = world.api.post(&retry_of(&delivery), &json!(null)).await;
            assert_eq!((refused.status, refused.content_type.as_str()), (409, "application/problem+json"));
            assert!(refused.json["detail"].as_str().unwrap().contains(status), "{}", refused.text);
        }
        assert_eq!(world.receiver.count(), 2);
    }

    async fn an_endpoint_that_is_disabled_or_removed_is_a_conflict(setup: Setup) {
        let world = setup.await;
        let (endpoint, delivery) = failed(&world).await;
        world.disable(endpoint).await;
        let refused = world.api.post(&retry_of(&delivery), &json!(null)).await;
        assert!(refused.text.contains(&format!("PATCH {}", path_of(endpoint))), "{}", refused.text);
        refused.expect(409);
        world.api.delete(&path_of(endpoint)).await.expect(204);
        let refused = world.api.post(&retry_of(&delivery), &json!(null)).await;
        assert!(refused.text.contains("removed"), "{}", refused.text);
        refused.expect(409);
        assert_eq!(world.receiver.count(), 1);
    }

    async fn a_delivery_whose_event_is_gone_is_a_conflict_and_an_unknown_one_is_not_there(setup: Setup) {
        let world = setup.await;
        let (_, delivery) = failed(&world).await;
        world.execute("DELETE FROM webhook_events").await;
        let refused = world.api.post(&retry_of(&delivery), &json!(null)).await;
        assert!(refused.text.contains("event is gone"), "{}", refused.text);
        refused.expect(409);
        world.api.post("/api/webhooks/deliveries/00000000-0000-8000-8000-000000000000/retry", &json!(null)).await.expect(404);
        world.api.post("/api/webhooks/deliveries/nonsense/retry", &json!(null)).await.expect(404);
    }

    async fn the_command_line_puts_back_one_and_all_of_an_endpoint(setup: Setup) {
        let world = setup.await;
        let (endpoint, delivery) = failed(&world).await;
        let run = async |args: &[&str]| {
            let finished = Launch::new(args.iter().copied()).set("POSTHASTE_SERVER", &world.app.url()).finish().await;
            assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{args:?}");
            finished.stdout
        };
        assert!(run(&["deliveries", "retry", delivery["id"].as_str().unwrap()]).await.contains("retrying"));
        world.receiver.wait_for(2).await;
        world.becomes(endpoint, "delivered", 1).await;
        let none = run(&["endpoints", "retry-failed", &endpoint.to_string(), "--since", "2026-01-02T03:04:05Z"]).await;
        assert_eq!(none, "0 deliveries are put back\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_puts_back_what_is_its_tenants_alone() {
    let settings = watchdog::directory("settings").join("posthaste.toml");
    let tokens = r#"[{ token = "acme-token-0123456789", tenant = "acme" }, { token = "shop-token-0123456789", tenant = "shop" }]"#;
    std::fs::write(&settings, format!("[http]\ntokens = {tokens}\n")).unwrap();
    let stores = Stores::production().await;
    let process = world::launch(&stores, "all", &[]).arg("--config").arg(settings.to_str().unwrap()).start().await;
    let (acme, shop) = (process.api().with_token("acme-token-0123456789"), process.api().with_token("shop-token-0123456789"));
    let receiver = Receiver::start().await;
    receiver.statuses("/", [500, 204]);
    let endpoint = acme.register(&receiver.url("/"), &json!({"max_retries": 1})).await.id;
    acme.send_id("e").await;
    let delivery = acme.ended("e").await;
    shop.post(&retry_of(&delivery), &json!(null)).await.expect(404);
    shop.post(&format!("{}/retry-failed", path_of(endpoint)), &json!({})).await.expect(404);
    acme.post(&retry_of(&delivery), &json!(null)).await.expect(202);
    receiver.wait_for(2).await;
}

/// What is recorded as waiting gets onto the schedule with the sweep.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_away_delays_what_is_put_back_and_loses_nothing() {
    let redis = Redis::private().await;
    let stores = Stores::on(Postgres::shared().await, &redis).await;
    let world = World::production().over(stores).set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    let (_, delivery) = failed(&world).await;
    redis.stop().await;
    let answer = world.api.post(&retry_of(&delivery), &json!(null)).await.expect(202);
    assert_eq!(answer["status"], "retrying");
    redis.start().await;
    world.receiver.wait_for(2).await;
}
