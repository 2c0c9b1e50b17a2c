//! 202 means that the events are durable: nothing that happens after the answer can lose them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{LONG, Postgres, Proxy, Redis, Stores, World, both_modes, eventually};

const EVENTS: &str = "/api/webhooks/events";

fn events(name: &str, count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("{name}{number}"), "event_type": "a", "data": number})).collect()
}

/// Waits until every one of these events has come at least once.
async fn all_arrived(world: &World, name: &str, count: usize) {
    for number in 0..count {
        world.arrived(&format!("{name}{number}")).await;
    }
}

both_modes! {
    async fn answered_events_are_in_the_database_when_the_answer_arrives(setup: Setup) {
        let world = setup.await;
        for number in 0..50 {
            world.api.send_id(&format!("e{number}")).await;
            let found = world.number(&format!("SELECT count(*) AS number FROM webhook_events WHERE id = 'e{number}'")).await;
            assert_eq!(found, 1, "e{number}");
        }
    }

    async fn answered_events_go_out_though_the_process_is_killed_right_after_the_answer(setup: Setup) {
        // What a dead process had claimed is its own until its lease runs out.
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "2").await;
        world.register("/a", &json!({})).await;
        for round in ["x", "y", "z"] {
            world.api.send(&events(round, 100)).await;
            world.crash().await;
        }
        for round in ["x", "y", "z"] {
            all_arrived(&world, round, 100).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_answer_before_the_commit() {
    let world = World::production().await;
    world.register("/a", &json!({})).await;
    let application = world.sql().await;
    application.batch_execute("BEGIN; LOCK TABLE webhook_events").await.expect("the server runs");
    let answer = world.api.send_id("e");
    tokio::pin!(answer);
    let early = tokio::time::timeout(Duration::from_millis(500), &mut answer).await;
    assert!(early.is_err(), "answered while the commit was held back");
    application.batch_execute("COMMIT").await.expect("the server runs");
    answer.await;
    world.arrived("e").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_events_are_answered_and_go_out_when_it_is_back() {
    let redis = Redis::private().await;
    let world = World::production().over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/a", &json!({})).await;
    redis.stop().await;
    world.api.send(&events("e", 100)).await;
    assert_eq!((world.rows("webhook_events").await, world.receiver.count()), (100, 0));
    redis.start().await;
    all_arrived(&world, "e", 100).await;
    world.settled().await;
    assert_eq!(world.receiver.count(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_events_go_out_though_redis_forgets_them() {
    let redis = Redis::forgetful().await;
    let mut world = World::production().over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/a", &json!({})).await;
    // No worker runs, so Redis still holds them when it goes.
    let api = world.another("api").await;
    world.app.kill();
    api.api().send(&events("e", 100)).await;
    redis.kill().await;
    redis.start().await;
    world.start_again().await;
    all_arrived(&world, "e", 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_there_is_no_202() {
    let postgres = Postgres::shared().await;
    let proxy = Proxy::to(postgres.port()).await;
    let Stores::Production { postgres_url, redis_url, prefix } = Stores::production().await else { unreachable!("production") };
    let stores = Stores::Production { postgres_url: proxy.instead_of(&postgres_url), redis_url, prefix };
    let world = World::production().over(stores).await;
    world.register("/a", &json!({})).await;
    proxy.refuse().await;
    let answer = world.api.post(EVENTS, &events("lost", 1)).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (503, "application/problem+json"), "{}", answer.text);
    proxy.pass().await;
    eventually(LONG, async || (world.api.post(EVENTS, &events("kept", 1)).await.status == 202).then_some(())).await;
    world.arrived("kept0").await;
}
