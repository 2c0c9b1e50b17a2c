//! `redis.shards`: the queue on a Redis Cluster of three masters.

mod changed;
mod crash;
mod delivering;
mod flushed;
mod outage;

use serde_json::json;

use crate::harness::{Cluster, LONG, Postgres, Setup, Stores, World, eventually, redis, world};

const SHARDS: usize = 4;

/// The list of one shard.
fn list(prefix: &str, shard: usize) -> String {
    format!("{prefix}{{{shard}}}webhook_events")
}

fn entry(id: &str) -> String {
    json!({"id": id, "event_type": "a", "data": 1}).to_string()
}

fn entries(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| entry(&format!("{name}{number}"))).collect()
}

/// Over this cluster, with short leases, and a prefix that nobody else has.
async fn setup(cluster: &Cluster) -> (Setup, String) {
    let prefix = redis::prefix().replace(['{', '}'], "");
    let postgres_url = Postgres::shared().await.database("template1").await;
    world::migrate(&postgres_url).await;
    let stores = Stores::Production { postgres_url, redis_url: cluster.url(), prefix: prefix.clone() };
    let setup = World::production().over(stores).set("POSTHASTE__REDIS__SHARDS", &SHARDS.to_string());
    (setup.set("POSTHASTE__SWEEP__INTERVAL", "0.2"), prefix)
}

/// Waits until so many deliveries are delivered, and checks that there are no others and none of the same event and endpoint.
async fn assert_all_delivered(world: &World, count: i64) {
    let sql = world.sql().await;
    let query =
        "SELECT count(*), count(DISTINCT (event_id, endpoint_id)), count(*) FILTER (WHERE status = 'delivered') FROM webhook_deliveries";
    let row = eventually(LONG * 2, async || {
        let row = sql.query_one(query, &[]).await.unwrap();
        (row.get::<_, i64>(2) >= count).then_some(row)
    })
    .await;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (count, count, count));
}

/// Waits until nothing is left in any shard but marks, and the dead letters.
async fn assert_nothing_is_left(cluster: &Cluster, prefix: &str) {
    let kept = ["webhook_memory", "webhook_shards", "webhook_dead_letters"];
    let pattern = format!("{prefix}*");
    eventually(LONG, async || {
        let keys = cluster.keys(&pattern).await;
        keys.iter().all(|key| kept.iter().any(|kept| key.ends_with(kept))).then_some(())
    })
    .await;
}
