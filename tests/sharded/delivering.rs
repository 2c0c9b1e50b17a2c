//! Everything that comes in at any shard goes out once.

use serde_json::json;

use super::{SHARDS, assert_all_delivered, assert_nothing_is_left, entries, entry, list, setup};
use crate::harness::{Cluster, LONG, Reply, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_doors_and_lists_are_delivered_and_retried_once() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let world = setup.await;
    world.receiver.rule("/", |request| Reply::status(if request.attempt() == 1 && request.event_id().ends_with('7') { 500 } else { 204 }));
    world.register("/", &json!({"retry_delay": 0.1})).await;
    cluster.push(&format!("{prefix}webhook_events"), &entries("door", 100)).await;
    for shard in 0..SHARDS {
        cluster.push(&list(&prefix, shard), &entries(&format!("list{shard}."), 100)).await;
    }
    let events: Vec<_> = (0..100).map(|number| json!({"id": format!("http{number}"), "event_type": "a", "data": number})).collect();
    world.api.send(&events.into()).await;
    world.sql().await.batch_execute("INSERT INTO webhook_events (id, event_type, data) VALUES ('sql', 'a', '1')").await.unwrap();
    assert_all_delivered(&world, 601).await;
    assert_eq!(world.receiver.count(), 601 + 60);
    assert_nothing_is_left(cluster, &prefix).await;
    for shard in 0..SHARDS {
        let mark = format!("{prefix}{{{shard}}}webhook_memory");
        assert_eq!(cluster.keys(&mark).await, [mark.as_str()], "all shards are at work");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_in_every_list_and_through_the_api_is_one() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let world = setup.await;
    world.register("/", &json!({})).await;
    let _other = world.another("worker").await;
    let same = entries("same", 200);
    // In all of them at once, so that several claims hold the same event while none is recorded.
    let lists: Vec<_> = (0..SHARDS).map(|shard| list(&prefix, shard)).chain([format!("{prefix}webhook_events")]).collect();
    futures_util::future::join_all(lists.iter().map(|list| cluster.push(list, &same))).await;
    let events: Vec<_> = (0..200).map(|number| json!({"id": format!("same{number}"), "event_type": "a", "data": 1})).collect();
    world.api.send(&events.into()).await;
    assert_all_delivered(&world, 200).await;
    assert_nothing_is_left(cluster, &prefix).await;
    assert_eq!(world.receiver.count(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_pushed_one_by_one_to_idle_lists_go_out_at_once() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let world = setup.await;
    world.register("/", &json!({})).await;
    for (number, shard) in (0..SHARDS).chain(0..SHARDS).enumerate() {
        cluster.push(&list(&prefix, shard), &[entry(&format!("one{number}"))]).await;
        world.receiver.wait_for(number + 1).await;
    }
    assert_all_delivered(&world, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_becomes_a_dead_letter_of_the_one_list_and_can_be_enqueued_again() {
    let cluster = Cluster::shared().await;
    let (setup, prefix) = setup(cluster).await;
    let world = setup.set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "200").await;
    world.register("/", &json!({})).await;
    for shard in 0..SHARDS {
        cluster.push(&list(&prefix, shard), &["nonsense".to_owned()]).await;
    }
    let mut schedule = cluster.at(&format!("{prefix}{{1}}webhook_retries")).await;
    redis::cmd("ZADD").arg(format!("{prefix}{{1}}webhook_retries")).arg(1).arg("no id").query_async::<()>(&mut schedule).await.unwrap();
    let letters = eventually(LONG, async || {
        let letters = world.api.get("/api/webhooks/dead-letters").await.json["items"].as_array().unwrap().clone();
        (letters.len() == SHARDS + 1).then_some(letters)
    })
    .await;
    assert_eq!(letters.iter().filter(|letter| letter["entry"] == "nonsense").count(), SHARDS, "{letters:?}");
    assert!(letters.iter().any(|letter| letter["entry"] == "no id"), "{letters:?}");
    assert_nothing_is_left(cluster, &prefix).await;
}
