//! What is committed, and what is not.

use serde_json::json;

use super::{insert, without_sweeps};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_out_after_its_commit_and_not_before() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let (sql, other) = (world.sql().await, world.sql().await);
    sql.batch_execute("BEGIN").await.unwrap();
    sql.batch_execute(&insert("held")).await.unwrap();
    world.goes_out(&other, "at-once").await;
    assert_eq!(world.receiver.count(), 1);
    sql.batch_execute("COMMIT").await.unwrap();
    let request = world.arrived("held").await;
    assert!(request.text().starts_with(r#"{"id":"held","event_type":"order.created","data":{"order":1.0},"timestamp":"#));
    assert!(request.text().ends_with(r#","source":"","version":"1.0"}"#), "{}", request.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_rolled_back_never_goes_out() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "before").await;
    sql.batch_execute(&format!("BEGIN; {}; ROLLBACK", insert("undone"))).await.unwrap();
    let savepoint = format!("BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; {}; COMMIT", insert("half-undone"), insert("kept"));
    sql.batch_execute(&savepoint).await.unwrap();
    world.arrived("kept").await;
    world.settled().await;
    let mut ids: Vec<_> = world.receiver.requests().iter().map(|request| request.event_id().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, ["before", "kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_events_of_one_transaction_all_go_out_once() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "first").await;
    let many = "INSERT INTO webhook_events (id, event_type, data) SELECT 'e' || n, 'a', to_json(n) FROM generate_series(1, 4000) n";
    sql.batch_execute(many).await.unwrap();
    world.receiver.wait_for(4001).await;
    world.settled().await;
    assert_eq!((world.receiver.count(), world.receiver.counts().len()), (4001, 4001));
}

#[tokio::test(flavor = "multi_thread")]
async fn inserting_it_again_sends_nothing_again() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    world.goes_out(&sql, "e").await;
    for _ in 0..3 {
        sql.batch_execute(&format!("{} ON CONFLICT DO NOTHING", insert("e"))).await.unwrap();
    }
    world.goes_out(&sql, "last").await;
    world.settled().await;
    assert_eq!(world.receiver.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_to_the_endpoints_of_its_tenant_alone() {
    let world = without_sweeps(World::production()).await;
    world.register("/default", &json!({})).await;
    world.register("/acme", &json!({"tenant": "acme"})).await;
    let sql = world.sql().await;
    let of_acme = "INSERT INTO webhook_events (tenant, id, event_type, data) VALUES ('acme', 'same', 'a', '1')";
    sql.batch_execute(of_acme).await.unwrap();
    world.arrived("same").await;
    world.settled().await;
    assert_eq!((world.receiver.requests_to("/acme").len(), world.receiver.count()), (1, 1));
    sql.batch_execute(&insert("same")).await.unwrap();
    world.receiver.wait_for(2).await;
    assert_eq!(world.receiver.requests_to("/default").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_id_that_is_allowed_goes_out() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    let longest = format!("/{}", "x".repeat(254));
    for id in ["a/b//c", "default/a", r#"{"%:,\}"#, longest.as_str()] {
        world.goes_out(&sql, id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_insert_can_enqueue() {
    let world = without_sweeps(World::production()).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    let role = "CREATE ROLE only_inserts; GRANT INSERT ON webhook_events TO only_inserts; SET ROLE only_inserts";
    sql.batch_execute(role).await.unwrap();
    sql.batch_execute(&format!("{} ON CONFLICT DO NOTHING", insert("e"))).await.unwrap();
    world.arrived("e").await;
}
