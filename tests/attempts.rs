//! What is not the receiver's doing uses up no attempt.

use serde_json::json;

use crate::harness::{Gate, LONG, Proxy, Reply, Stores, World, both_modes, eventually};

/// The program with a proxy before PostgreSQL and one before Redis.
async fn behind_proxies() -> (World, Proxy, Proxy) {
    let Stores::Production { postgres_url, redis_url, prefix } = Stores::production().await else { panic!("production") };
    let port = |url: &str| url::Url::parse(url).unwrap().port().unwrap();
    let (postgres, redis) = (Proxy::to(port(&postgres_url)).await, Proxy::to(port(&redis_url)).await);
    let stores = Stores::Production { postgres_url: postgres.instead_of(&postgres_url), redis_url: redis.instead_of(&redis_url), prefix };
    (World::production().over(stores).await, postgres, redis)
}

/// Refuses connections until the program has noticed.
async fn outage(world: &World, proxy: &Proxy, backend: &str) {
    let line = format!("webhook_backend_errors_total{{backend=\"{backend}\"}}");
    let before = world.api.metric(&line).await.unwrap_or(0.0);
    proxy.refuse().await;
    eventually(LONG, async || world.api.metric(&line).await.is_some_and(|count| count > before + 1.0).then_some(())).await;
}

/// `backend` is away while an answer comes, so that its outcome cannot be recorded or settled.
async fn outage_during_an_attempt(backend: &str) {
    let (world, postgres, redis) = behind_proxies().await;
    let proxy = if backend == "postgres" { &postgres } else { &redis };
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate)]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
    world.receiver.wait_for(1).await;
    outage(&world, proxy, backend).await;
    gate.open();
    outage(&world, proxy, backend).await;
    proxy.pass().await;
    let delivery = world.api.ended("e").await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    world.api.deliver("next", &world.receiver.url("/next"), &json!({})).await;
    world.api.ended("next").await;
    assert_eq!(world.receiver.requests_to("/").len(), 1, "the outcome was kept until it could be recorded");
}

/// `backend` is away when a delivery's next attempt is due.
async fn outage_before_an_attempt(backend: &str) {
    let (world, postgres, redis) = behind_proxies().await;
    let proxy = if backend == "postgres" { &postgres } else { &redis };
    world.receiver.statuses("/", [500, 204]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 2, "retry_delay": 1})).await;
    world.api.retrying("e", 1).await;
    outage(&world, proxy, backend).await;
    proxy.pass().await;
    let delivery = world.api.ended("e").await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(2)));
    assert_eq!(world.receiver.requests().iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_postgres_during_an_attempt_uses_up_none() {
    outage_during_an_attempt("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_redis_during_an_attempt_uses_up_none() {
    outage_during_an_attempt("redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_postgres_before_an_attempt_uses_up_none() {
    outage_before_an_attempt("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_redis_before_an_attempt_uses_up_none() {
    outage_before_an_attempt("redis").await;
}

both_modes! {
    async fn an_attempt_that_shutting_down_ended_uses_up_none(setup: Setup) {
        let mut world = setup.set("POSTHASTE__SHUTDOWN__GRACE", "0").await;
        world.receiver.script("/", [Reply::hang(), Reply::status(204)]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 1})).await;
        world.receiver.wait_for(1).await;
        world.app.terminate();
        assert_eq!(world.app.exited().await.code(), Some(0));
        world.start_again().await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
        let requests = world.receiver.requests();
        assert_eq!(requests.iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(requests[0].delivery_id(), requests[1].delivery_id());
    }

    async fn waiting_for_an_endpoints_turn_uses_up_none(setup: Setup) {
        let world = setup.set("POSTHASTE__WORKER__PARK_AFTER", "0.05").await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        world.register("/", &json!({"in_flight": 1, "max_retries": 1})).await;
        let events: Vec<_> = (0..20).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect();
        world.api.send(&events.into()).await;
        let parked = world.api.wait_for_deliveries("pending", 19).await;
        assert!(parked.iter().all(|delivery| delivery["attempt_count"] == 0), "{parked:?}");
        gate.open();
        let delivered = world.api.wait_for_deliveries("delivered", 20).await;
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 1), "{delivered:?}");
        assert!(world.receiver.requests().iter().all(|request| request.attempt() == 1));
        assert_eq!((world.receiver.count(), world.receiver.peak("/")), (20, 1));
    }
}
