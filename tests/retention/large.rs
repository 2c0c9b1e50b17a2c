//! Old rows as they lie in a database that has run for long: made by SQL, since ids carry the time.

use std::sync::Arc;
use std::time::Duration;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::delivery::DeliveryId;
use posthaste::model::event::EventKey;
use serde_json::json;

use crate::harness::{LONG, Postgres, Redis, Setup, Stores, World, eventually, postgres};

const DAY: Duration = Duration::from_secs(86_400);

fn often(setup: Setup) -> Setup {
    setup.set("POSTHASTE__RETENTION__INTERVAL", "0.1")
}

fn ago(days: u32) -> Timestamp {
    clock::now() - DAY * days
}

/// Commits so many events of that time, each with one delivery of that status and two attempts.
async fn fill(sql: &postgres::Connection, name: &str, at: Timestamp, count: usize, status: &str) {
    let ids: Vec<_> = (0..count).map(|number| format!("{name}-{number}")).collect();
    let key = |id: &str| EventKey { tenant: Arc::from("default"), id: Arc::from(id) };
    let deliveries: Vec<_> = ids.iter().map(|id| DeliveryId::of(at, &key(id), 1).to_string()).collect();
    let time = clock::unix_seconds(at);
    sql.batch_execute("BEGIN").await.unwrap();
    let events = "INSERT INTO webhook_events (id, event_type, data, created_at, routed_at) \
                  SELECT id, 'old', '1', to_timestamp($2), to_timestamp($2) FROM unnest($1::text[]) AS id";
    sql.execute(events, &[&ids, &time]).await.unwrap();
    let rows = "INSERT INTO webhook_deliveries (id, endpoint_id, created_at, next_retry_at, last_attempt_at, response_time, \
                attempt_count, response_status, status, tenant, event_id, event_type) \
                SELECT d::uuid, 1, to_timestamp($3), CASE WHEN $4 = 'retrying' THEN now() + '1 day' END, to_timestamp($3), 0.1, 2, \
                500, $4, 'default', e, 'old' FROM unnest($1::text[], $2::text[]) AS v (e, d)";
    sql.execute(rows, &[&ids, &deliveries, &time, &status]).await.unwrap();
    let past = "INSERT INTO webhook_past_attempts SELECT d::uuid, to_timestamp($2), 0.1, 1, 500 FROM unnest($1::text[]) AS d";
    sql.execute(past, &[&deliveries, &time]).await.unwrap();
    sql.batch_execute("COMMIT").await.unwrap();
}

/// How many deliveries, past attempts and events of that name there are.
async fn left(sql: &postgres::Connection, name: &str) -> [i64; 3] {
    let query = "SELECT count(DISTINCT d.id), count(p.delivery_id), count(DISTINCT e.id) FROM webhook_events e \
                 LEFT JOIN webhook_deliveries d ON d.event_id = e.id LEFT JOIN webhook_past_attempts p ON p.delivery_id = d.id \
                 WHERE e.id LIKE $1 || '-%'";
    let row = sql.query_one(query, &[&name]).await.unwrap();
    [row.get(0), row.get(1), row.get(2)]
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_remove_what_is_older_than_thirty_days_and_nothing_else() {
    let world = often(World::production()).await;
    let other = world.another("worker").await;
    let sql = world.sql().await;
    // At the front, and more than one page of them.
    fill(&sql, "waits", ago(40), 1_200, "retrying").await;
    fill(&sql, "young", ago(29), 100, "delivered").await;
    fill(&sql, "old", ago(31), 2_500, "delivered").await;
    fill(&sql, "failed", ago(31), 100, "failed").await;
    for name in ["old", "failed"] {
        eventually(LONG, async || (left(&sql, name).await == [0; 3]).then_some(())).await;
    }
    assert_eq!((left(&sql, "waits").await, left(&sql, "young").await), ([1_200; 3], [100; 3]));
    assert_eq!(world.rows("webhook_past_attempts").await, 1_300);
    for kind in ["delivery", "event"] {
        let line = format!(r#"webhook_retention_removed_total{{kind="{kind}"}}"#);
        // Each row is counted by the one that removed it.
        eventually(LONG, async || {
            let removed = world.api.metric(&line).await? + other.api().metric(&line).await?;
            (removed.to_bits() == 2_600_f64.to_bits()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_holds_is_passed_over_and_removed_later() {
    let world = often(World::production()).await;
    let (sql, holder) = (world.sql().await, world.sql().await);
    world.register("/", &json!({})).await;
    fill(&holder, "new", ago(31), 1, "delivered").await;
    holder.batch_execute("BEGIN").await.unwrap();
    let held = holder.execute("SELECT FROM webhook_deliveries FOR UPDATE", &[]).await.unwrap();
    fill(&sql, "old", ago(32), 10, "delivered").await;
    fill(&sql, "older", ago(30) - DAY / 2, 10, "delivered").await;
    for name in ["old", "older"] {
        eventually(LONG, async || (left(&sql, name).await == [0; 3]).then_some(())).await;
    }
    // It may have been removed before it was held.
    assert_eq!(left(&sql, "new").await[0], i64::try_from(held).unwrap());
    world.api.send_id("meanwhile").await;
    world.arrived("meanwhile").await;
    holder.batch_execute("COMMIT").await.unwrap();
    eventually(LONG, async || (left(&sql, "new").await == [0; 3]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_could_route_yet_stays_however_old_it_is() {
    let redis = Redis::private().await;
    let world = often(World::production()).over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/", &json!({})).await;
    let sql = world.sql().await;
    redis.stop().await;
    let insert = "INSERT INTO webhook_events (id, event_type, data, created_at) VALUES ('e', 'a', '1', now() - interval '40 days')";
    sql.batch_execute(insert).await.unwrap();
    fill(&sql, "old", ago(39), 10, "delivered").await;
    eventually(LONG, async || (left(&sql, "old").await == [0; 3]).then_some(())).await;
    assert_eq!(world.rows("webhook_events").await, 1);
    redis.start().await;
    world.arrived("e").await;
    world.settled().await;
    // Its delivery has only just ended.
    assert_eq!((world.rows("webhook_events").await, world.rows("webhook_deliveries").await), (1, 1));
}
