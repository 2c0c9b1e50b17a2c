//! Many processes start at once on an empty database.

use serde_json::{Value, json};

use crate::harness::{LONG, Launch, Postgres, Receiver, Redis, eventually, postgres, redis};

const REPLICAS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_make_the_tables_once_and_all_work() {
    let (server, redis_server) = (Postgres::shared().await, Redis::shared().await);
    let (url, prefix) = (server.database("template1").await, redis::prefix());
    let roles = ["all", "worker", "api"].into_iter().cycle().take(REPLICAS);
    let starting: Vec<_> = roles.map(|role| Launch::serve(role, &url, &redis_server.url(), &prefix).spawn()).collect();
    let mut migrations = Vec::new();
    for _ in 0..2 {
        migrations.push(Launch::new(["migrate"]).set("POSTGRES_URL", &url).spawn());
    }
    for mut migration in migrations {
        assert_eq!(migration.exited().await.code(), Some(0), "{}", migration.stderr());
    }
    for process in &starting {
        eventually(LONG, async || (process.api().ready().await == Some(200)).then_some(())).await;
        assert!(!process.stderr().contains("ERROR"), "{}", process.stderr());
    }
    let receiver = Receiver::start().await;
    starting[0].api().register(&receiver.url("/"), &Value::Null).await;
    for process in &starting {
        process.api().metric_becomes("webhook_endpoints_active", 1.0).await;
    }
    let events: Vec<_> = (0..50).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect();
    starting[0].api().send(&events.into()).await;
    let delivered = starting[0].api().wait_for_deliveries("delivered", 50).await;
    assert_eq!((delivered.len(), receiver.count()), (50, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_may_be_repeated() {
    let url = Postgres::shared().await.database("template1").await;
    for _ in 0..2 {
        let finished = Launch::new(["migrate"]).set("POSTGRES_URL", &url).finish().await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
    let row = postgres::connect(&url).await.unwrap().query_one("SELECT count(*) FROM webhook_endpoints", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}
