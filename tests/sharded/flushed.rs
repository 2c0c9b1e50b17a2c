//! `FLUSHALL` on the masters: what PostgreSQL knows of is put back, in every shard.

use std::collections::BTreeSet;

use serde_json::json;

use super::{SHARDS, assert_all_delivered, assert_nothing_is_left, entries, list, setup};
use crate::harness::{Cluster, LONG, Reply, World, eventually};

/// The ids on the schedules of all shards.
async fn scheduled(cluster: &Cluster, prefix: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for shard in 0..SHARDS {
        let key = format!("{prefix}{{{shard}}}webhook_retries");
        let ids: Vec<String> = redis::cmd("ZRANGE").arg(&key).arg(&[0, -1]).query_async(&mut cluster.at(&key).await).await.unwrap();
        all.extend(ids);
    }
    all
}

async fn waiting(world: &World) -> BTreeSet<String> {
    let rows = world.sql().await.query("SELECT id::text FROM webhook_deliveries WHERE status = 'retrying'", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_on_the_schedules_again_after_all_masters_or_one_were_flushed() {
    let cluster = Cluster::private().await;
    let (setup, prefix) = setup(&cluster).await;
    let world = setup.await;
    world.receiver.statuses("/", [500]);
    world.register("/", &json!({"retry_delay": 500})).await;
    cluster.push(&list(&prefix, 2), &entries("e", 100)).await;
    world.api.wait_for_deliveries("retrying", 100).await;
    let waiting = waiting(&world).await;
    let all_are_back = async || {
        eventually(LONG, async || (scheduled(&cluster, &prefix).await == waiting).then_some(())).await;
    };
    all_are_back().await;
    cluster.flush().await;
    all_are_back().await;
    cluster.masters[1].flush().await;
    all_are_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn masters_flushed_under_load_lose_nothing_that_postgres_knows_of() {
    let cluster = Cluster::private().await;
    let (setup, prefix) = setup(&cluster).await;
    let world = setup.set("POSTHASTE__REDIS__LEASE", "2").await;
    world.receiver.rule("/", |request| Reply::status(if request.attempt() == 1 && request.event_id().ends_with('3') { 500 } else { 204 }));
    world.register("/", &json!({"retry_delay": 2})).await;
    // Not before: it would learn of the endpoint within a second, and what it routes until then goes nowhere.
    let _other = world.another("worker").await;
    for page in 0..10 {
        let events: Vec<_> = (0..100).map(|number| json!({"id": format!("e{page}.{number}"), "event_type": "a", "data": 1})).collect();
        world.api.send(&events.into()).await;
        if page == 5 {
            cluster.flush().await;
        }
    }
    assert_all_delivered(&world, 1000).await;
    assert_nothing_is_left(&cluster, &prefix).await;
}
