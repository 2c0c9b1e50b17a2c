//! Which columns there are.

use crate::harness::World;

const ENDPOINTS: &[&str] = &[
    "id",
    "tenant",
    "name",
    "url",
    "is_active",
    "event_types",
    "headers",
    "timeout",
    "max_retries",
    "retry_delay",
    "created_at",
    "updated_at",
    "disabled_reason",
];
const EVENTS: &[&str] = &["id", "tenant", "event_type", "data", "source", "version", "timestamp", "created_at"];
const DELIVERIES: &[&str] = &[
    "id",
    "endpoint_id",
    "event_id",
    "event_type",
    "status",
    "attempt_count",
    "last_attempt_at",
    "response_status",
    "response_body",
    "response_time",
    "error_message",
    "next_retry_at",
    "created_at",
];

/// The first column of what the query answers.
async fn names(world: &World, query: &str) -> Vec<String> {
    world.sql().await.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_have_the_columns_that_others_rely_on() {
    let world = World::production().await;
    for (table, wanted) in [("webhook_endpoints", ENDPOINTS), ("webhook_events", EVENTS), ("webhook_deliveries", DELIVERIES)] {
        let query = format!("SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'");
        let found = names(&world, &query).await;
        let missing: Vec<_> = wanted.iter().filter(|name| !found.iter().any(|found| found == *name)).collect();
        assert!(missing.is_empty(), "{table} has no {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoints_id_is_a_bigint() {
    let query = "SELECT data_type::text FROM information_schema.columns \
                 WHERE (table_name, column_name) IN (('webhook_endpoints', 'id'), ('webhook_deliveries', 'endpoint_id'))";
    assert_eq!(names(&World::production().await, query).await, ["bigint", "bigint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_needs_only_its_id_type_and_data() {
    let world = World::production().await;
    let query = "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'webhook_events' \
                 AND is_nullable = 'NO' AND column_default IS NULL ORDER BY 1";
    assert_eq!(names(&world, query).await, ["data", "event_type", "id"]);
    let insert = "INSERT INTO webhook_events (id, event_type, data) VALUES ('e', 'a', '{}') \
                  RETURNING tenant || '|' || source || '|' || version || '|' || (timestamp > 1.7e9) || '|' || (created_at > '2020-01-01Z')";
    assert_eq!(names(&world, insert).await, ["default||1.0|true|true"]);
}
