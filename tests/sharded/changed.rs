//! Another number of shards: nothing is lost, wherever it was. Over one Redis, which may be sharded too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{assert_all_delivered, entries, entry, list};
use crate::harness::world::launch;
use crate::harness::{LONG, Postgres, Redis, Reply, Stores, World, eventually};

const LEFT: usize = 20;

fn env(shards: usize) -> Vec<(String, String)> {
    let env = [("POSTHASTE__REDIS__SHARDS", &*shards.to_string()), ("POSTHASTE__REDIS__LEASE", "1"), ("POSTHASTE__SWEEP__INTERVAL", "0.2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    env.to_vec()
}

async fn push(redis: &Redis, list: &str, entries: &[String]) {
    redis::cmd("LPUSH").arg(list).arg(entries).query_async::<()>(&mut redis.connect().await).await.unwrap();
}

/// With so many shards it leaves in each list entries that nobody claimed, an entry that a worker had claimed when it was killed, and a delivery
/// that waits for its second attempt. With the other number all are delivered, and none more often than it must.
async fn change(from: usize, to: usize) {
    let redis = Redis::private().await;
    let stores = Stores::on(Postgres::shared().await, &redis).await;
    let mut world = env(from).iter().fold(World::production().over(stores), |setup, (name, value)| setup.set(name, value)).await;
    let killed = Arc::new(AtomicBool::new(false));
    world.receiver.rule("/", {
        let killed = Arc::clone(&killed);
        move |request| match (request.event_id(), request.attempt()) {
            (id, _) if id.starts_with("hangs") && !killed.load(Ordering::Relaxed) => Reply::hang(),
            (id, 1) if id.starts_with("waits") => Reply::status(500),
            _ => Reply::status(204),
        }
    });
    world.register("/", &json!({"retry_delay": 5})).await;
    let mut lists = vec!["webhook_events".to_owned()];
    lists.extend((0..from).filter(|_| from > 1).map(|shard| list("", shard)));
    for (number, list) in lists.iter().enumerate() {
        push(&redis, list, &[entry(&format!("waits{number}"))]).await;
    }
    world.api.wait_for_deliveries("retrying", lists.len()).await;
    for (number, list) in lists.iter().enumerate() {
        push(&redis, list, &[entry(&format!("hangs{number}"))]).await;
    }
    world.receiver.wait_for(2 * lists.len()).await;
    world.app.kill();
    world.app.exited().await;
    killed.store(true, Ordering::Relaxed);
    for (number, list) in lists.iter().enumerate() {
        push(&redis, list, &entries(&format!("left{number}."), LEFT)).await;
    }
    let _other = launch(&world.stores, "all", &env(to)).start().await;
    assert_all_delivered(&world, i64::try_from(lists.len() * (LEFT + 2)).unwrap()).await;
    for ((id, path), count) in world.receiver.counts() {
        assert_eq!(count, if id.starts_with("left") { 1 } else { 2 }, "{id} at {path}");
    }
    let mut connection = redis.connect().await;
    for list in lists {
        let left: usize = redis::cmd("LLEN").arg(&list).query_async(&mut connection).await.unwrap();
        assert_eq!(left, 0, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_without_shards_becomes_one_with_shards() {
    change(1, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_two_shards_becomes_one_of_three() {
    change(2, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_four_shards_becomes_one_of_two() {
    change(4, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_shards_becomes_one_without() {
    change(3, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_another_number_of_shards_claims_nothing_more() {
    let redis = Redis::private().await;
    let stores = Stores::on(Postgres::shared().await, &redis).await;
    let world = env(2).iter().fold(World::production().over(stores), |setup, (name, value)| setup.set(name, value)).await;
    world.register("/", &json!({})).await;
    push(&redis, "webhook_events", &[entry("before")]).await;
    assert_all_delivered(&world, 1).await;
    let other = launch(&world.stores, "all", &env(4)).start().await;
    eventually(LONG, async || world.app.stderr().contains("redis.shards").then_some(())).await;
    push(&redis, &list("", 3), &entries("after", LEFT)).await;
    assert_all_delivered(&world, 1 + i64::try_from(LEFT).unwrap()).await;
    drop(other);
}
