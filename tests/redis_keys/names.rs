//! Names, types, members and scores.

use posthaste::model::clock;
use redis::AsyncCommands as _;
use serde_json::{Value, json};

use super::{entry, keys, type_of};
use crate::harness::{LONG, Postgres, Redis, Stores, World, eventually, time};

#[tokio::test(flavor = "multi_thread")]
async fn webhook_events_is_a_list_that_workers_pop_from_the_right() {
    let mut world = World::production().set("WEBHOOK_WORKERS", "1").await;
    world.register("/", &json!({})).await;
    world.app.terminate();
    world.app.exited().await;
    let ids: Vec<_> = (0..20).map(|number| format!("e{number}")).collect();
    world.push(&ids.iter().map(|id| entry(id)).collect::<Vec<_>>()).await;
    let (mut redis, prefix) = (world.redis().await, world.key(""));
    let key = format!("{prefix}webhook_events");
    assert_eq!(type_of(&mut redis, &key).await, "list");
    assert_eq!(redis.lindex::<_, String>(&key, -1).await.unwrap(), entry("e0"));
    world.start_again().await;
    let requests = world.receiver.wait_for(20).await;
    assert_eq!(requests.iter().map(|request| request.event_id().to_owned()).collect::<Vec<_>>(), ids);
    assert_eq!(redis.llen::<_, usize>(&key).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_retries_holds_the_ids_of_waiting_deliveries_with_their_due_times() {
    let world = World::production().await;
    world.receiver.statuses("/", [500]);
    world.register("/", &json!({"retry_delay": 500})).await;
    world.push(&(0..10).map(|number| entry(&format!("e{number}"))).collect::<Vec<_>>()).await;
    let waiting = world.api.wait_for_deliveries("retrying", 10).await;
    let (mut redis, prefix) = (world.redis().await, world.key(""));
    let key = format!("{prefix}webhook_retries");
    let is_due = |(member, score): &(String, f64)| {
        let delivery = waiting.iter().find(|delivery| delivery["id"] == **member)?;
        let due = clock::unix_seconds(time(&delivery["next_retry_at"]));
        ((due - score).abs() < 0.001).then_some(())
    };
    eventually(LONG, async || {
        let scheduled: Vec<(String, f64)> = redis.zrange_withscores(&key, 0, -1).await.expect("Redis runs");
        (scheduled.len() == 10 && scheduled.iter().all(|one| is_due(one).is_some())).then_some(())
    })
    .await;
    assert_eq!(type_of(&mut redis, &key).await, "zset");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_delivery_whose_score_has_passed_is_sent() {
    let world = World::production().await;
    world.receiver.statuses("/", [500, 204]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({"retry_delay": 5000})).await;
    world.hurry(&world.api.retrying("e", 1).await).await;
    assert_eq!(world.api.ended("e").await["status"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_dead_letters_is_a_list_of_entries_with_their_reasons() {
    let world = World::production().await;
    world.push(&["this is not JSON".to_owned()]).await;
    let (mut redis, prefix) = (world.redis().await, world.key(""));
    let key = format!("{prefix}webhook_dead_letters");
    let letter = eventually(LONG, async || redis.lindex::<_, Option<String>>(&key, 0).await.expect("Redis runs")).await;
    assert_eq!(type_of(&mut redis, &key).await, "list");
    let letter: Value = serde_json::from_str(&letter).unwrap();
    assert_eq!(letter["entry"], "this is not JSON");
    assert!(!letter["reason"].as_str().unwrap().is_empty() && letter["at"].is_number(), "{letter}");
}

/// Through all doors and ways: delivered, retried, waiting, dead.
async fn use_every_key(world: &World) {
    world.receiver.statuses("/retried", [500, 204]);
    world.receiver.statuses("/waiting", [500]);
    world.register("/", &json!({})).await;
    world.register("/retried", &json!({"retry_delay": 0.1})).await;
    world.push(&[entry("pushed"), "nonsense".to_owned(), entry("pushed")]).await;
    world.api.send_id("sent").await;
    world.api.wait_for_deliveries("delivered", 4).await;
    world.api.deliver("waiting", &world.receiver.url("/waiting"), &json!({"retry_delay": 500})).await;
    world.api.retrying("waiting", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_starts_with_the_prefix() {
    let server = Redis::forgetful().await;
    let postgres = Postgres::shared().await;
    for prefix in ["", "shop:", "{a}"] {
        let Stores::Production { postgres_url, redis_url, .. } = Stores::on(postgres, &server).await else { panic!("production") };
        let stores = Stores::Production { postgres_url, redis_url, prefix: prefix.to_owned() };
        let world = World::production().over(stores).await;
        use_every_key(&world).await;
        let mut redis = server.connect().await;
        let key = format!("{prefix}webhook_retries");
        eventually(LONG, async || (redis.zcard::<_, usize>(&key).await.expect("Redis runs") == 1).then_some(())).await;
        let found = keys(&mut redis, "*").await;
        assert!(found.iter().all(|key| key.starts_with(&format!("{prefix}webhook_"))), "{found:?}");
        assert!(found.contains(&format!("{prefix}webhook_dead_letters")), "{found:?}");
        drop(world);
        server.flush().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_redis_when_all_is_delivered() {
    let mut world = World::production().await;
    world.receiver.statuses("/retried", [500, 503, 204]);
    world.register("/", &json!({})).await;
    world.register("/retried", &json!({"retry_delay": 0.05})).await;
    world.push(&(0..300).map(|number| entry(&format!("e{number}"))).collect::<Vec<_>>()).await;
    world.push(&[entry("e0"), entry("e1")]).await;
    world.api.send_id("e2").await;
    world.api.send_id("e300").await;
    world.receiver.wait_for(604).await;
    let (mut redis, prefix) = (world.redis().await, world.key(""));
    let (pattern, waiting, memory) = (format!("{prefix}*"), format!("{prefix}webhook_claims"), format!("{prefix}webhook_memory"));
    // A worker that waits for entries has a lease ready for the next one.
    eventually(LONG, async || {
        let found = keys(&mut redis, &pattern).await;
        found.iter().all(|key| *key == waiting || *key == memory).then_some(())
    })
    .await;
    world.app.terminate();
    assert_eq!(world.app.exited().await.code(), Some(0));
    // But for the mark by which the next worker knows that nothing was lost.
    assert_eq!(keys(&mut redis, &pattern).await, [memory]);
    assert_eq!(world.receiver.count(), 604);
}
