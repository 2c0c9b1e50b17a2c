//! An endpoint that is broken, or asks for less, is left alone: by all workers, without using attempts, and without costing the others anything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Door, LONG, Reply, Setup, World, both_modes, eventually};

const BROKEN: &str = "webhook_endpoints_broken";

fn events(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": number}).to_string()).collect()
}

/// A breaker that opens after three silences, and tries again soon.
fn quick(setup: Setup) -> Setup {
    setup.set("POSTHASTE__BREAKER__SILENT", "3").set("POSTHASTE__BREAKER__PAUSE", "0.3").set("POSTHASTE__BREAKER__MAX_PAUSE", "1")
}

async fn becomes_broken(world: &World, broken: f64) {
    eventually(LONG, async || (world.api.metric(BROKEN).await == Some(broken)).then_some(())).await;
}

/// What the API says, once it is one of these.
async fn breaker_is(world: &World, endpoint: i64, states: &[&str]) {
    let path = format!("/api/webhooks/endpoints/{endpoint}");
    eventually(LONG, async || {
        let breaker = world.api.get(&path).await.expect(200)["breaker"].clone();
        states.iter().any(|state| breaker["state"] == *state).then_some(())
    })
    .await;
}

async fn all_delivered(world: &World, count: usize) -> Vec<Value> {
    let delivered = world.api.wait_for_deliveries("delivered", count).await;
    assert_eq!(delivered.len(), count);
    delivered
}

both_modes! {
    async fn a_broken_endpoint_is_left_alone_and_its_deliveries_use_no_attempts(setup: Setup) {
        let world = quick(setup).await;
        let broken = world.receiver.hanging("/");
        let endpoint = world.register("/", &json!({"timeout": 0.3, "max_retries": 2, "retry_delay": 0.2})).await;
        breaker_is(&world, endpoint, &["closed"]).await;
        world.enqueue(Door::Http, &events(0, 5)).await;
        becomes_broken(&world, 1.0).await;
        breaker_is(&world, endpoint, &["open", "half_open"]).await;
        world.enqueue(Door::Http, &events(5, 200)).await;
        // Every one of them had its chance to be sent, and only probes were.
        let before = world.receiver.count();
        world.api.wait_for_deliveries("pending", 200).await;
        let probes = world.receiver.wait_until(LONG, |requests| requests.len() >= before + 3).await.len() - before;
        assert!(probes < 30, "{probes}");
        broken.mend();
        becomes_broken(&world, 0.0).await;
        breaker_is(&world, endpoint, &["closed"]).await;
        eventually(LONG, async || (world.rows("webhook_deliveries WHERE status = 'delivered'").await >= 200).then_some(())).await;
        world.settled().await;
        let late = world.rows("webhook_deliveries WHERE attempt_count > 1 AND event_id NOT IN ('e0', 'e1', 'e2', 'e3', 'e4')").await;
        assert!(late < 30, "only those that were probes used an attempt: {late}");
    }

    async fn an_endpoint_that_asks_to_be_left_alone_is(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::with_header(429, "Retry-After", "3"), Reply::status(204)]);
        world.register("/", &json!({"retry_delay": 0.1})).await;
        world.enqueue(Door::Http, &events(0, 1)).await;
        let asked = world.receiver.wait_for(1).await[0].at;
        world.api.retrying("e0", 1).await;
        world.enqueue(Door::Http, &events(1, 20)).await;
        let delivered = all_delivered(&world, 21).await;
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == if delivery["event_id"] == "e0" { 2 } else { 1 }));
        let first = world.receiver.requests().iter().skip(1).map(|request| request.at).min().expect("20 more");
        assert!(first.duration_since(asked) >= Duration::from_secs(3), "{:?}", first.duration_since(asked));
    }

    async fn hanging_endpoints_leave_room_for_the_others(setup: Setup) {
        let world = setup.set("WEBHOOK_WORKERS", "64").await;
        for number in 0..8 {
            let path = format!("/hangs/{number}");
            world.receiver.script(&path, [Reply::hang()]);
            world.register(&path, &json!({"name": path})).await;
        }
        world.register("/quick", &json!({"name": "quick"})).await;
        // Each event goes to all nine: while eight hang for their 30 s, the ninth gets everything.
        let started = Instant::now();
        world.enqueue(Door::Http, &events(0, 500)).await;
        world.receiver.wait_until(LONG, |requests| requests.iter().filter(|request| request.path == "/quick").count() == 500).await;
        assert!(started.elapsed() < Duration::from_secs(25), "none of the others can have timed out: {:?}", started.elapsed());
    }

    async fn however_many_endpoints_hang_at_once_one_that_answered_before_goes_on(setup: Setup) {
        let world = setup.set("WEBHOOK_WORKERS", "32").await;
        world.register("/quick", &json!({"name": "quick", "event_types": ["a"]})).await;
        for number in 0..100 {
            let path = format!("/hangs/{number}");
            world.receiver.script(&path, [Reply::hang()]);
            world.register(&path, &json!({"name": path, "event_types": ["hangs"], "timeout": 120})).await;
        }
        world.enqueue(Door::Http, &events(0, 1)).await;
        all_delivered(&world, 1).await;
        world.enqueue(Door::Http, &[json!({"id": "for-all-that-hang", "event_type": "hangs", "data": 1}).to_string()]).await;
        world.receiver.wait_until(LONG, |requests| requests.len() > 28).await;
        world.enqueue(Door::Http, &events(1, 200)).await;
        all_delivered(&world, 201).await;
    }
}

both_modes! {
    async fn one_that_is_disabled_is_broken_no_more(setup: Setup) {
        let world = quick(setup).set("POSTHASTE__BREAKER__PAUSE", "60").set("POSTHASTE__BREAKER__MAX_PAUSE", "60").await;
        let broken = world.receiver.hanging("/");
        let endpoint = world.register("/", &json!({"timeout": 0.3, "max_retries": 5, "retry_delay": 0.2})).await;
        world.enqueue(Door::Http, &events(0, 5)).await;
        becomes_broken(&world, 1.0).await;
        let path = format!("/api/webhooks/endpoints/{endpoint}");
        world.api.patch(&path, &json!({"is_active": false})).await.expect(200);
        becomes_broken(&world, 0.0).await;
        broken.mend();
        world.api.patch(&path, &json!({"is_active": true})).await.expect(200);
        world.enqueue(Door::Http, &events(5, 5)).await;
        all_delivered(&world, 5).await;
    }
}

/// A worker found out that the endpoint hangs, and ended. The other number is that of the requests that the endpoint had got until then.
async fn found_out(setup: Setup) -> (World, usize) {
    let mut world = quick(setup).set("POSTHASTE__BREAKER__PAUSE", "60").set("POSTHASTE__BREAKER__MAX_PAUSE", "60").await;
    let _broken = world.receiver.hanging("/");
    world.register("/", &json!({"timeout": 0.3, "max_retries": 5, "retry_delay": 0.2})).await;
    world.enqueue(Door::Http, &events(0, 5)).await;
    becomes_broken(&world, 1.0).await;
    world.app.terminate();
    world.app.exited().await;
    let before = world.receiver.count();
    (world, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_worker_does_not_find_out_for_itself() {
    let (mut world, before) = found_out(World::production()).await;
    world.start_again().await;
    becomes_broken(&world, 1.0).await;
    world.enqueue(Door::Http, &events(5, 50)).await;
    world.api.wait_for_deliveries("pending", 50).await;
    assert_eq!(world.receiver.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_worker_claims_nothing_before_it_asked_the_others() {
    // Time enough to claim what waits, and send it.
    let (mut world, before) = found_out(World::production().set("FAILPOINTS", "asking=1*sleep(1000)")).await;
    world.enqueue(Door::List, &events(5, 50)).await;
    world.start_again().await;
    world.api.wait_for_deliveries("pending", 50).await;
    assert_eq!(world.receiver.count(), before);
}
