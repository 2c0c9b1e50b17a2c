//! Door 1: `LPUSH webhook_events`, from any language, with no library of ours.

use serde_json::json;

use crate::harness::{Postgres, Redis, Stores, World, verifiers};

fn entry(id: &str) -> String {
    json!({"id": id, "event_type": "a", "data": 1}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_pushed_goes_out() {
    let world = World::production().await;
    world.register("/a", &json!({})).await;
    let entry = concat!(
        r#"{"id": "e-1", "event_type": "order.created", "data": {"total": 10.50}, "#,
        r#""timestamp": 1763757296.12, "source": "shop", "version": "1.0"}"#
    );
    world.push(&[entry.to_owned()]).await;
    assert_eq!(
        world.arrived("e-1").await.text(),
        r#"{"id":"e-1","event_type":"order.created","data":{"total":10.50},"timestamp":1763757296.12,"source":"shop","version":"1.0"}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_python_program_pushes_events_that_go_out() {
    let redis = Redis::forgetful().await;
    let world = World::production().over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/a", &json!({})).await;
    verifiers::python("lpush.py", &[&redis.url()]).await;
    assert_eq!(
        world.arrived("order-7").await.text(),
        concat!(
            r#"{"id":"order-7","event_type":"order.created","data":{"name":"Zo\u00e9","total":10.0,"lines":[1,2]},"#,
            r#""timestamp":1763757296.12,"source":"shop","version":"1.0"}"#
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_pop_from_the_right() {
    let one_at_a_time = World::production().set("WEBHOOK_WORKERS", "1").set("POSTHASTE__WORKER__CLAIM_BATCH", "1");
    let mut world = one_at_a_time.await;
    world.register("/a", &json!({"in_flight": 1})).await;
    world.app.kill();
    for id in ["first", "second", "third"] {
        world.push(&[entry(id)]).await;
    }
    let rpush = redis::cmd("RPUSH").arg(world.key("webhook_events")).arg(entry("rightmost")).to_owned();
    rpush.query_async::<()>(&mut world.redis().await).await.expect("the server runs");
    world.start_again().await;
    let requests = world.receiver.wait_for(4).await;
    let order: Vec<_> = requests.iter().map(|request| request.event_id()).collect();
    assert_eq!(order, ["rightmost", "first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_prefix_the_list_without_it_is_left_alone() {
    let redis = Redis::forgetful().await;
    let Stores::Production { postgres_url, .. } = Stores::production().await else { unreachable!("production") };
    let world = World::production().over(Stores::Production { postgres_url, redis_url: redis.url(), prefix: "{a}".into() }).await;
    world.register("/a", &json!({})).await;
    let mut connection = redis.connect().await;
    for (list, id) in [("webhook_events", "not-ours"), ("{a}webhook_events", "ours")] {
        redis::cmd("LPUSH").arg(list).arg(entry(id)).query_async::<()>(&mut connection).await.expect("the server runs");
    }
    world.arrived("ours").await;
    world.settled().await;
    assert_eq!(world.receiver.count(), 1);
    let left: i64 = redis::cmd("LLEN").arg("webhook_events").query_async(&mut connection).await.expect("the server runs");
    assert_eq!(left, 1);
    let all: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("the server runs");
    assert!(all.iter().all(|key| key == "webhook_events" || key.starts_with("{a}webhook_")), "{all:?}");
}
