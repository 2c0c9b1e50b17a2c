//! `kill -9`: what a dead worker held in any shard is gone on with.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::json;

use super::{SHARDS, assert_all_delivered, assert_nothing_is_left, entries, list, setup};
use crate::harness::world::launch;
use crate::harness::{Cluster, Gate, Reply, World};

/// A world with the cluster's prefix and something in flight in every shard, behind a gate.
async fn held(cluster: &Cluster, gate: &Gate) -> (World, String) {
    let (setup, prefix) = setup(cluster).await;
    let world = setup.set("POSTHASTE__REDIS__LEASE", "1").await;
    world.receiver.rule("/", {
        let gate = gate.clone();
        move |request| {
            if request.attempt() == 1 && request.event_id().ends_with('5') { Reply::status(500) } else { Reply::status(204).behind(&gate) }
        }
    });
    world.register("/", &json!({"retry_delay": 0.1, "in_flight": 200})).await;
    for shard in 0..SHARDS {
        cluster.push(&list(&prefix, shard), &entries(&format!("list{shard}."), 10)).await;
    }
    cluster.push(&format!("{prefix}webhook_events"), &entries("door", 10)).await;
    let events: Vec<_> = (0..10).map(|number| json!({"id": format!("http{number}"), "event_type": "a", "data": 1})).collect();
    world.api.send(&events.into()).await;
    (world, prefix)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_had_claimed_in_any_shard_is_delivered_by_another() {
    let (cluster, gate) = (Cluster::shared().await, Gate::closed());
    let (mut world, prefix) = held(cluster, &gate).await;
    // All first attempts, and the second ones of those that failed.
    world.receiver.wait_for(66).await;
    let other = world.another("worker").await;
    world.app.kill();
    gate.open();
    assert_all_delivered(&world, 60).await;
    assert_nothing_is_left(cluster, &prefix).await;
    let counts = world.receiver.counts();
    assert_eq!(counts.len(), 60, "{counts:?}");
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_between_burying_dead_letters_and_settling_loses_nothing() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").role("api").await;
    world.register("/", &json!({})).await;
    let mut pushed = entries("e", 20);
    pushed.push("nonsense".to_owned());
    cluster.push(&list(&prefix, 1), &pushed).await;
    let quick = [("POSTHASTE__REDIS__SHARDS", "4"), ("POSTHASTE__REDIS__LEASE", "1"), ("POSTHASTE__SWEEP__INTERVAL", "0.2")];
    let env = |more: Option<(&str, &str)>| -> Vec<_> {
        quick.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut dies = launch(&world.stores, "worker", &env(Some(("FAILPOINTS", "buried=return")))).spawn();
    assert_eq!(dies.exited().await.signal(), Some(6), "the fault was not met\n{}", dies.stderr());
    let _other = launch(&world.stores, "worker", &env(None)).start().await;
    assert_all_delivered(&world, 20).await;
    assert_nothing_is_left(cluster, &prefix).await;
    assert!(world.receiver.counts().values().all(|count| *count <= 2), "what was in flight is repeated once");
    let letters = world.api.get("/api/webhooks/dead-letters").await.json["items"].as_array().unwrap().clone();
    assert!(!letters.is_empty() && letters.iter().all(|letter| letter["entry"] == "nonsense"), "{letters:?}");
    world.app.terminate();
    world.app.exited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_again_and_again_under_load_lose_nothing() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").await;
    world.register("/a", &json!({})).await;
    world.register("/b", &json!({})).await;
    let _survivor = world.another("worker").await;
    for shard in 0..SHARDS {
        cluster.push(&list(&prefix, shard), &entries(&format!("list{shard}."), 300)).await;
    }
    for arrived in [100, 800, 1600] {
        world.receiver.wait_for(arrived).await;
        world.crash().await;
    }
    assert_all_delivered(&world, 2400).await;
    assert_nothing_is_left(cluster, &prefix).await;
}
