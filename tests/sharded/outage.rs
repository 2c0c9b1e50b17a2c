//! One master is away: the others' work goes on, and its own when it is back, or another node took its place.

use serde_json::json;

use super::{SHARDS, assert_all_delivered, assert_nothing_is_left, entries, setup};
use crate::harness::{Cluster, LONG, Redis, World, eventually};

const EVENTS: i64 = 400;

/// A master that has not the list that is pushed to.
fn another_than_the_door<'a>(cluster: &'a Cluster, prefix: &str) -> &'a Redis {
    let door = cluster.master_of(&format!("{prefix}webhook_events")).port();
    cluster.masters.iter().find(|master| master.port() != door).unwrap()
}

/// Half of them is pushed to a list of a master that is there, half comes through the API.
async fn enqueue(cluster: &Cluster, world: &World, prefix: &str) {
    cluster.push(&format!("{prefix}webhook_events"), &entries("pushed", 200)).await;
    let events: Vec<_> = (0..200).map(|number| json!({"id": format!("sent{number}"), "event_type": "a", "data": 1})).collect();
    world.api.send(&events.into()).await;
}

/// Enqueues while `away` is so, and waits for what is not of its shards.
async fn the_others_go_on(cluster: &Cluster, away: &Redis, world: &World, prefix: &str) {
    let mut there = 0;
    for shard in 0..SHARDS {
        there += i64::from(cluster.master_of(&format!("{prefix}{{{shard}}}")).port() != away.port());
    }
    enqueue(cluster, world, prefix).await;
    // Each shard has about a quarter.
    let expected = EVENTS * there / 4 * 3 / 4;
    let delivered = async || world.rows("webhook_deliveries WHERE status = 'delivered'").await;
    eventually(LONG, async || (delivered().await >= expected).then_some(())).await;
    let door = format!("{prefix}webhook_events");
    let mut connection = cluster.at(&door).await;
    eventually(LONG, async || {
        let left: usize = redis::cmd("LLEN").arg(&door).query_async(&mut connection).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(world.api.ready().await, Some(200));
    assert!(delivered().await < EVENTS, "what belongs to a master that is away waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_master_is_down_the_others_deliver_and_its_own_follows_when_it_is_back() {
    let cluster = Cluster::private().await;
    let (setup, prefix) = setup(&cluster).await;
    let world = setup.await;
    world.register("/", &json!({})).await;
    let away = another_than_the_door(&cluster, &prefix);
    world.api.metric_becomes("webhook_queue_shards_away", 0.0).await;
    away.kill().await;
    the_others_go_on(&cluster, away, &world, &prefix).await;
    let parts = (0..SHARDS).map(|shard| format!("{prefix}{{{shard}}}")).chain([format!("{prefix}webhook_dead_letters")]);
    let of_it = parts.filter(|key| cluster.master_of(key).port() == away.port()).count();
    world.api.metric_becomes("webhook_queue_shards_away", f64::from(u32::try_from(of_it).unwrap())).await;
    away.start().await;
    world.api.metric_becomes("webhook_queue_shards_away", 0.0).await;
    assert_all_delivered(&world, EVENTS).await;
    assert_eq!(world.receiver.count(), 400);
    assert_nothing_is_left(&cluster, &prefix).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_master_hangs_the_others_deliver_and_its_own_follows_when_it_answers() {
    let cluster = Cluster::private().await;
    let (setup, prefix) = setup(&cluster).await;
    let world = setup.set("POSTHASTE__REDIS__LEASE", "2").await;
    world.register("/", &json!({})).await;
    let away = another_than_the_door(&cluster, &prefix);
    away.pause();
    the_others_go_on(&cluster, away, &world, &prefix).await;
    away.resume();
    assert_all_delivered(&world, EVENTS).await;
    assert_eq!(world.receiver.count(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_the_place_of_its_master_is_found() {
    let cluster = Cluster::private().await;
    let (setup, prefix) = setup(&cluster).await;
    let world = setup.await;
    world.register("/", &json!({})).await;
    let away = another_than_the_door(&cluster, &prefix);
    let _replica = cluster.replica_of(away).await;
    away.kill().await;
    enqueue(&cluster, &world, &prefix).await;
    assert_all_delivered(&world, EVENTS).await;
    assert_eq!(world.receiver.count(), 400);
}
