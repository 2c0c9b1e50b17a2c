//! A worker is killed, and another one takes over what it had claimed when its lease runs out.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{Gate, LONG, Postgres, Redis, Reply, Stores, World, eventually};

async fn world() -> World {
    World::production().set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await
}

fn entries(count: usize) -> Vec<String> {
    (0..count).map(|number| format!(r#"{{"id":"e{number}","event_type":"a","data":{number}}}"#)).collect()
}

/// Waits until that many deliveries are delivered, and checks the rows: one for each event and endpoint, and none else.
async fn assert_all_delivered(world: &World, count: usize) {
    let sql = world.sql().await;
    let query = "SELECT count(*), count(DISTINCT (event_id, endpoint_id)), count(*) FILTER (WHERE status = 'delivered'), \
                 coalesce(max(attempt_count), 0) FROM webhook_deliveries";
    let row = eventually(LONG, async || {
        let row = sql.query_one(query, &[]).await.unwrap();
        (usize::try_from(row.get::<_, i64>(2)).unwrap() >= count).then_some(row)
    })
    .await;
    let count = i64::try_from(count).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2), row.get::<_, i32>(3)), (count, count, count, 1));
}

/// A request that had to be repeated carries the same delivery id and the same number, and so can be told from a new one.
fn assert_repeats_are_the_same(world: &World) {
    let mut ids = HashMap::new();
    for request in world.receiver.requests() {
        let id = ids.entry((request.path.clone(), request.event_id().to_owned())).or_insert_with(|| request.delivery_id().to_owned());
        assert_eq!((&**id, request.attempt()), (request.delivery_id(), 1), "{} at {}", request.event_id(), request.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_claimed_by_a_dead_worker_are_delivered_by_another() {
    let mut world = world().await;
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate)]);
    world.register("/", &json!({})).await;
    world.push(&entries(100)).await;
    world.receiver.wait_for(32).await;
    let other = world.another("all").await;
    world.app.kill();
    gate.open();
    assert_all_delivered(&world, 100).await;
    assert_repeats_are_the_same(&world);
    assert_eq!(world.receiver.counts().len(), 100);
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_events_claimed_by_a_dead_worker_are_delivered_by_another() {
    let mut world = world().await;
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate)]);
    world.register("/", &json!({})).await;
    let events: Vec<_> = (0..100).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect();
    world.api.send(&events.into()).await;
    world.receiver.wait_for(32).await;
    let other = world.another("worker").await;
    world.app.kill();
    gate.open();
    assert_all_delivered(&world, 100).await;
    assert_repeats_are_the_same(&world);
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lives_keeps_its_claims_however_long_an_attempt_takes() {
    let world = world().await;
    let gate = Gate::closed();
    world.receiver.script("/slow", [Reply::status(204).behind(&gate)]);
    world.register("/slow", &json!({"name": "slow"})).await;
    world.register("/quick", &json!({})).await;
    // Before the other one starts, so that both know of it, whichever gets its event.
    world.receiver.statuses("/beside", [500]);
    world.register("/beside", &json!({"name": "beside", "event_types": ["beside"], "retry_schedule": [1, 1, 1, 1]})).await;
    let _other = world.another("all").await;
    world.push(&entries(5)).await;
    world.receiver.wait_until(LONG, |requests| requests.iter().filter(|request| request.path == "/slow").count() == 5).await;
    // Several leases long, others sweep and retry beside it.
    world.api.send(&json!({"id": "beside", "event_type": "beside", "data": {}})).await;
    let beside = world.api.delivery_of("beside", |delivery| delivery["status"] == "failed").await;
    assert_eq!(beside["attempt_count"], 5);
    gate.open();
    eventually(LONG, async || (world.api.deliveries("status=pending").await.is_empty()).then_some(())).await;
    assert_eq!(world.receiver.requests_to("/slow").iter().filter(|request| request.event_id().starts_with('e')).count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_while_redis_is_away_for_longer_than_its_lease_is_not_sent_again() {
    let (postgres, redis) = (Postgres::shared().await, Redis::private().await);
    let setup = World::production().over(Stores::on(postgres, &redis).await);
    let world = setup.set("POSTHASTE__REDIS__LEASE", "2").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    let gate = Gate::closed();
    // First attempts of entries, and second ones from the schedule: both kinds of leases are held.
    world.receiver.rule("/", {
        let gate = gate.clone();
        move |request| {
            if request.attempt() == 1 && request.event_id() == "e0" { Reply::status(500) } else { Reply::status(204).behind(&gate) }
        }
    });
    world.register("/", &json!({"retry_delay": 0.1})).await;
    let _other = world.another("worker").await;
    world.push(&entries(20)).await;
    world.receiver.wait_for(21).await;
    redis.stop().await;
    let away = std::time::Instant::now();
    eventually(LONG, async || (away.elapsed().as_secs() >= 4).then_some(())).await;
    redis.start().await;
    // Both workers are at work again, and whoever would take something over has had the time to.
    eventually(LONG, async || (away.elapsed().as_secs() >= 18).then_some(())).await;
    gate.open();
    assert_all_recorded(&world, 20).await;
    assert_eq!(world.receiver.count(), 21);
}

async fn assert_all_recorded(world: &World, count: i64) {
    eventually(LONG, async || (world.rows("webhook_deliveries WHERE status = 'delivered'").await == count).then_some(())).await;
    world.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_again_and_again_under_load_lose_nothing() {
    let mut world = world().await;
    world.register("/a", &json!({})).await;
    world.register("/b", &json!({})).await;
    let _survivor = world.another("worker").await;
    world.push(&entries(1500)).await;
    for arrived in [100, 900, 1800] {
        world.receiver.wait_for(arrived).await;
        world.crash().await;
    }
    assert_all_delivered(&world, 3000).await;
    assert_repeats_are_the_same(&world);
    assert_eq!(world.receiver.counts().len(), 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_delivery_leased_by_a_dead_worker_is_sent_again_by_another() {
    let mut world = world().await;
    world.receiver.script("/", [Reply::status(500), Reply::hang(), Reply::status(204)]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({"retry_delay": 0.1})).await;
    world.receiver.wait_for(2).await;
    let other = world.another("all").await;
    world.app.kill();
    let delivery: Value = other.api().ended("e").await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(2)));
    let requests = world.receiver.requests();
    assert_eq!(requests.iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2, 2]);
    assert!(requests.iter().all(|request| request.delivery_id() == requests[0].delivery_id()));
}
