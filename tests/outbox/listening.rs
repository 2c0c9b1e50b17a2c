//! Who listens, and what happens when the one who does is gone.

use serde_json::json;

use super::{another_listener, insert, listener, without_sweeps};
use crate::harness::{Gate, Postgres, Proxy, Redis, Reply, Stores, World};

#[tokio::test(flavor = "multi_thread")]
async fn with_three_replicas_each_endpoint_gets_each_event_once() {
    let world = without_sweeps(World::production()).await;
    world.register("/a", &json!({})).await;
    world.register("/b", &json!({})).await;
    let _others = [world.another("worker").await, world.another("all").await];
    let sql = world.sql().await;
    for number in 0..100 {
        sql.batch_execute(&insert(&format!("e{number}"))).await.unwrap();
    }
    world.receiver.wait_for(200).await;
    world.settled().await;
    assert_eq!((world.receiver.count(), world.receiver.counts().len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_listening_connection_ends_another_one_hears_what_follows() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "before").await;
    let pid = listener(&sql).await;
    sql.query_one("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    world.goes_out(&sql, "between").await;
    another_listener(&sql, pid).await;
    world.goes_out(&sql, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_listens_is_killed_another_one_does() {
    let mut world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    let pid = listener(&sql).await;
    let _other = world.another("worker").await;
    world.app.kill();
    world.goes_out(&sql, "between").await;
    another_listener(&sql, pid).await;
    world.goes_out(&sql, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_lets_another_one_listen_before_its_last_request_ended() {
    let mut world = without_sweeps(World::production()).await;
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate), Reply::status(204)]);
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "slow").await;
    let pid = listener(&sql).await;
    let _other = world.another("worker").await;
    world.app.terminate();
    another_listener(&sql, pid).await;
    world.goes_out(&sql, "meanwhile").await;
    assert!(world.app.status().is_none());
    gate.open();
    assert!(world.app.exited().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_while_postgres_could_not_be_reached_goes_out_when_it_can() {
    let redis = Redis::shared().await;
    let Stores::Production { postgres_url, prefix, .. } = Stores::production().await else { unreachable!("production") };
    let proxy = Proxy::to(Postgres::shared().await.port()).await;
    let behind = proxy.instead_of(&postgres_url);
    let stores = Stores::Production { postgres_url: behind, redis_url: redis.url(), prefix };
    let world = without_sweeps(World::production()).over(stores).await;
    world.register("/", &json!({})).await;
    let sql = crate::harness::postgres::connect(&postgres_url).await.unwrap();
    world.goes_out(&sql, "before").await;
    proxy.refuse().await;
    sql.batch_execute(&insert("meanwhile")).await.unwrap();
    proxy.pass().await;
    world.arrived("meanwhile").await;
    world.goes_out(&sql, "after").await;
}
