//! What nobody heard of is found.

use serde_json::json;

use super::{insert, without_sweeps};
use crate::harness::{Postgres, Redis, Stores, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_while_no_worker_ran_goes_out_when_one_starts() {
    let mut world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    world.app.kill();
    let sql = world.sql().await;
    for number in 0..10 {
        sql.batch_execute(&insert(&format!("e{number}"))).await.unwrap();
    }
    world.start_again().await;
    world.receiver.wait_for(10).await;
    world.settled().await;
    assert_eq!(world.receiver.counts().len(), 10);
    assert_eq!(world.receiver.count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_trigger_the_sweep_finds_it() {
    let world = World::production().set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    sql.batch_execute("ALTER TABLE webhook_events DISABLE TRIGGER webhook_tell_of_event").await.unwrap();
    world.goes_out(&sql, "e").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_while_redis_was_away_goes_out_when_it_is_back() {
    let redis = Redis::private().await;
    let world = without_sweeps(World::production()).over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "before").await;
    redis.stop().await;
    for number in 0..2000 {
        sql.batch_execute(&insert(&format!("e{number}"))).await.unwrap();
    }
    redis.start().await;
    world.receiver.wait_for(2001).await;
    world.settled().await;
    assert_eq!((world.receiver.count(), world.receiver.counts().len()), (2001, 2001));
}
