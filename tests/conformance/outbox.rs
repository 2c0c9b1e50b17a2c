//! `Outbox`: Postgres alone has it.

use std::time::Duration;

use posthaste::ports::{Heard, Outbox};

use super::backends;
use super::fixtures::{event, key};
use crate::harness::{LONG, eventually, postgres};

async fn hear(outbox: &dyn Outbox) -> Heard {
    tokio::time::timeout(LONG, outbox.next()).await.expect("somebody tells").expect("the server runs")
}

fn insert(id: &str) -> String {
    format!("INSERT INTO webhook_events (id, event_type, data) VALUES ('{id}', 'a', '1')")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_commit_is_heard_in_order_and_what_came_through_other_doors_is_not() {
    let production = backends::production().await;
    let outbox = production.postgres.outbox();
    assert_eq!(hear(&outbox).await, Heard::SomeMissed);
    let sql = postgres::connect(&production.postgres_url).await.unwrap();
    production.stand.records.accept(&[event("door-2", 1)]).await.unwrap();
    production.stand.route(&event("door-1", 1), vec![]).await;
    let routed = "INSERT INTO webhook_events (id, event_type, data, routed_at) VALUES ('routed', 'a', '1', now())";
    sql.batch_execute(routed).await.unwrap();
    sql.batch_execute(&format!("BEGIN; {}; {}; COMMIT", insert("b"), insert("a"))).await.unwrap();
    sql.batch_execute(&insert("c/d")).await.unwrap();
    // No key, and heard by nobody.
    sql.batch_execute("NOTIFY webhook_events, 'nonsense'; NOTIFY webhook_events").await.unwrap();
    sql.batch_execute(&insert("last")).await.unwrap();
    let mut heard = Vec::new();
    while heard.last() != Some(&key("last")) {
        let Heard::Events(keys) = hear(&outbox).await else { panic!("nothing was missed") };
        heard.extend(keys);
    }
    assert_eq!(heard, ["b", "a", "c/d", "last"].map(key));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_hears_and_the_other_does_when_it_is_gone() {
    let production = backends::production().await;
    let (one, two) = (production.postgres.outbox(), production.postgres.outbox());
    assert_eq!(hear(&one).await, Heard::SomeMissed);
    let waiting = two.next();
    tokio::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    drop(one);
    let heard = tokio::time::timeout(LONG, waiting).await.expect("its turn").unwrap();
    assert_eq!(heard, Heard::SomeMissed);
    let sql = postgres::connect(&production.postgres_url).await.unwrap();
    sql.batch_execute(&insert("a")).await.unwrap();
    assert_eq!(hear(&two).await, Heard::Events(vec![key("a")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_error_it_listens_anew() {
    let production = backends::production().await;
    let outbox = production.postgres.outbox();
    assert_eq!(hear(&outbox).await, Heard::SomeMissed);
    let sql = postgres::connect(&production.postgres_url).await.unwrap();
    let all = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
               WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    assert_eq!(sql.query(all, &[]).await.unwrap().len(), 1);
    let error = tokio::time::timeout(LONG, outbox.next()).await.expect("it is noticed").unwrap_err();
    assert!(error.to_string().contains("terminating connection"), "{error}");
    assert_eq!(hear(&outbox).await, Heard::SomeMissed);
    sql.batch_execute(&insert("a")).await.unwrap();
    assert_eq!(hear(&outbox).await, Heard::Events(vec![key("a")]));
}

/// Those that nobody asks about for too long are forgotten here, and not in the server, which would stop taking commits.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_remembered_is_some_missed() {
    let production = backends::production().await;
    let outbox = production.postgres.outbox();
    assert_eq!(hear(&outbox).await, Heard::SomeMissed);
    let sql = postgres::connect(&production.postgres_url).await.unwrap();
    let many = "INSERT INTO webhook_events (id, event_type, data) SELECT 'e' || n, 'a', '1' FROM generate_series(1, 250000) n";
    sql.batch_execute(many).await.unwrap();
    // Nobody asks until the server has got rid of them all. What is still on its way then is less than what was forgotten.
    let told = "SELECT pg_notification_queue_usage() = 0";
    eventually(LONG, async || sql.query_one(told, &[]).await.unwrap().get::<_, bool>(0).then_some(())).await;
    assert_eq!(hear(&outbox).await, Heard::SomeMissed);
    sql.batch_execute(&insert("last")).await.unwrap();
    // Whatever followed is told of still.
    loop {
        if let Heard::Events(keys) = hear(&outbox).await
            && keys.contains(&key("last"))
        {
            return;
        }
    }
}
