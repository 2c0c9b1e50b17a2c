//! With a hash tag as the prefix, a Redis Cluster takes every command and script.

use std::time::Duration;

use posthaste::backends::redis::RedisQueue;
use posthaste::config::RedisSettings;
use posthaste::model::secret::Secret;
use posthaste::ports::{Ask, Given, NewPause, Pacing};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use super::entry;
use crate::harness::server::{Server, Spec};
use crate::harness::{LONG, Postgres, Reply, Stores, World, eventually, places, redis as harness_redis, watchdog, world};

const SLOTS: [&str; 2] = ["0", "16383"];

/// A cluster of one node: it refuses what touches keys of two slots, and scripts that touch keys they did not declare.
async fn cluster() -> (Server, String) {
    let (dir, port) = (watchdog::directory("redis-cluster"), places::free_port().to_string());
    let dir_text = dir.display().to_string();
    let args = ["--port", &port, "--bind", "127.0.0.1", "--dir", &dir_text, "--save", "", "--cluster-enabled", "yes"];
    let spec = Spec {
        name: "Redis",
        program: places::program("Redis", &["redis-server", "valkey-server"]),
        args: args.iter().map(|arg| (*arg).to_owned()).chain(["--cluster-port".to_owned(), places::free_port().to_string()]).collect(),
        dir,
        user: None,
        stop_signal: "TERM",
        drop_signal: "KILL",
    };
    let (server, url) = (Server::new(spec), format!("redis://127.0.0.1:{port}/"));
    server.start(async |_pid| harness_redis::connect(&url).await.is_ok()).await;
    let mut redis = harness_redis::connect(&url).await.unwrap();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(&SLOTS).query_async::<()>(&mut redis).await.unwrap();
    eventually(LONG, async || is_up(&mut redis).await.then_some(())).await;
    (server, url)
}

async fn is_up(redis: &mut MultiplexedConnection) -> bool {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(redis).await.unwrap();
    info.contains("cluster_state:ok")
}

/// What a worker does only when endpoints fail, or ask for less.
async fn pace(redis_url: &str, prefix: &str) {
    let lease = Duration::from_secs(1);
    let settings = RedisSettings { url: Secret::new(redis_url.to_owned()), prefix: prefix.to_owned(), lease, shards: 1 };
    let queue = RedisQueue::new(&settings).expect("a URL");
    let broken = NewPause::Broken { endpoint_id: 7, first: Duration::ZERO, max: LONG };
    queue.pause(&[broken, NewPause::Slowed { endpoint_id: 7, lasts: LONG }]).await.expect("one slot");
    assert!(queue.probe(7, LONG).await.expect("one slot"));
    assert_eq!(queue.pauses(0).await.expect("one slot").expect("all").paused.len(), 2);
    queue.recovered(&[7]).await.expect("one slot");
    let asks = [7, 8].map(|endpoint_id| Ask { endpoint_id, every: LONG, count: 2, ahead: Duration::ZERO, line: LONG, newcomers: true });
    let given = Given { slots: vec![Duration::ZERO], places: vec![LONG] };
    assert_eq!(queue.slots(&asks).await.expect("one slot"), [given.clone(), given]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_with_a_hash_tag_makes_all_of_it_safe_in_a_cluster() {
    let (_server, redis_url) = cluster().await;
    let postgres_url = Postgres::shared().await.database("template1").await;
    world::migrate(&postgres_url).await;
    pace(&redis_url, "{a}").await;
    let stores = Stores::Production { postgres_url, redis_url, prefix: "{a}".to_owned() };
    let mut world = World::production().over(stores).set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    world.receiver.statuses("/", [500, 204]);
    world.register("/", &json!({"retry_delay": 0.1})).await;
    world.push(&[entry("pushed"), "nonsense".to_owned(), entry("pushed")]).await;
    world.api.send_id("sent").await;
    world.api.wait_for_deliveries("delivered", 2).await;

    // A claim that is taken over goes through the rest of the scripts.
    world.receiver.script("/", [Reply::hang(), Reply::status(204)]);
    world.push(&[entry("taken.over")]).await;
    world.receiver.wait_for(4).await;
    world.crash().await;
    assert_eq!(world.api.ended("taken.over").await["status"], "delivered");
    assert!(!world.app.stderr().contains("CROSSSLOT"), "{}", world.app.stderr());
}
