//! What the rows say.

use serde_json::json;
use tokio_postgres::Row;

use crate::harness::{LONG, Reply, World, both_modes, eventually};

async fn row(world: &World, query: &str) -> Row {
    world.sql().await.query_one(query, &[]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_row_tells_what_the_receiver_answered() {
    let world = World::production().await;
    world.receiver.script("/", [Reply::full(201, &[], b"thanks")]);
    let endpoint = world.register("/", &json!({})).await;
    world.api.send(&json!({"id": "e", "event_type": "order.created", "data": 1})).await;
    let delivery = world.api.ended("e").await;
    let row = row(
        &world,
        "SELECT id::text, endpoint_id, event_id, event_type, status, attempt_count, response_status, response_body, \
         response_time BETWEEN 0 AND 30, last_attempt_at BETWEEN created_at AND now(), error_message, next_retry_at IS NULL \
         FROM webhook_deliveries",
    )
    .await;
    let texts = [0, 2, 3, 4, 7].map(|at| row.get::<_, String>(at));
    assert_eq!(texts, [delivery["id"].as_str().unwrap(), "e", "order.created", "delivered", "thanks"]);
    assert_eq!((row.get::<_, i64>(1), row.get::<_, i32>(5), row.get::<_, i32>(6)), (endpoint, 1, 201));
    assert_eq!([8, 9, 11].map(|at| row.get::<_, bool>(at)), [true; 3]);
    assert_eq!(row.get::<_, Option<String>>(10), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_row_and_a_retrying_row_tell_why() {
    let world = World::production().await;
    world.receiver.script("/", [Reply::drop_connection()]);
    world.api.deliver("failed", &world.receiver.url("/"), &json!({"max_retries": 1})).await;
    world.api.deliver("retrying", &world.receiver.url("/"), &json!({"retry_delay": 500})).await;
    world.api.ended("failed").await;
    world.api.retrying("retrying", 1).await;
    let sql = world.sql().await;
    let rows = sql
        .query(
            "SELECT status, attempt_count, response_status, error_message, next_retry_at > now() FROM webhook_deliveries ORDER BY status",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["failed", "retrying"]);
    for row in &rows {
        assert_eq!((row.get::<_, i32>(1), row.get::<_, Option<i32>>(2)), (1, None));
        assert!(row.get::<_, String>(3).starts_with("connection reset"));
    }
    assert_eq!((rows[0].get::<_, Option<bool>>(4), rows[1].get::<_, Option<bool>>(4)), (None, Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoints_row_has_its_times_in_seconds_and_says_why_it_is_disabled() {
    let world = World::production().await;
    world.receiver.statuses("/", [410]);
    let more = json!({"tenant": "shop", "timeout": 1.5, "retry_delay": 2.5, "max_retries": 7, "headers": {"X-Own": "a"}});
    world.register("/", &more).await;
    let columns = "SELECT tenant, timeout::float8, retry_delay::float8, max_retries, is_active, disabled_reason, headers::text, \
                   updated_at >= created_at FROM webhook_endpoints";
    let before = row(&world, columns).await;
    assert_eq!((before.get::<_, &str>(0), before.get::<_, f64>(1), before.get::<_, f64>(2)), ("shop", 1.5, 2.5));
    assert_eq!((before.get::<_, i32>(3), before.get::<_, bool>(4), before.get::<_, bool>(7)), (7, true, true));
    assert_eq!(before.get::<_, Option<&str>>(5), None);
    assert_eq!(serde_json::from_str::<serde_json::Value>(before.get(6)).unwrap(), json!({"X-Own": "a"}));
    world.api.send(&json!({"id": "e", "event_type": "a", "data": 1, "tenant": "shop"})).await;
    world.api.ended("e").await;
    let after = row(&world, columns).await;
    assert!(!after.get::<_, bool>(4) && after.get::<_, &str>(5).contains("410"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_events_row_keeps_what_came() {
    let world = World::production().await;
    let data = r#"{"b":1.0,"a":1e3,"n":12345678901234567890}"#;
    world
        .push(&[format!(r#"{{"id":"e","event_type":"a.b","data":{data},"timestamp":1763757296.12,"source":"shop","version":"2"}}"#)])
        .await;
    let ended = async || row(&world, "SELECT count(*) FROM webhook_events").await.get::<_, i64>(0) == 1;
    eventually(LONG, async || ended().await.then_some(())).await;
    let row = row(&world, r#"SELECT id, tenant, event_type, data::text, source, version, "timestamp" FROM webhook_events"#).await;
    assert_eq!([0, 1, 2, 3, 4, 5].map(|at| row.get::<_, String>(at)), ["e", "default", "a.b", data, "shop", "2"]);
    assert!((row.get::<_, f64>(6) - 1_763_757_296.12).abs() < 1e-6);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_row_for_each_event_and_endpoint_however_often_the_event_comes() {
    let world = World::production().await;
    for path in ["/a", "/b", "/c"] {
        world.register(path, &json!({})).await;
    }
    let _second = world.another("worker").await;
    let entries: Vec<_> = (0..50).map(|number| format!(r#"{{"id":"e{number}","event_type":"a","data":1}}"#)).collect();
    let events: Vec<_> = (0..50).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect();
    for _ in 0..3 {
        world.push(&entries).await;
        world.api.send(&events.clone().into()).await;
    }
    let counted = "SELECT count(*), count(DISTINCT (event_id, endpoint_id)) FROM webhook_deliveries WHERE status = 'delivered'";
    eventually(LONG, async || (row(&world, counted).await.get::<_, i64>(1) == 150).then_some(())).await;
    assert_eq!(row(&world, counted).await.get::<_, i64>(0), 150);
    assert_eq!(row(&world, "SELECT count(*) FROM webhook_events").await.get::<_, i64>(0), 50);
}

both_modes! {
    async fn a_delivery_is_pending_until_its_first_attempt_is_recorded(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/slow", [Reply::hang()]);
        world.register("/slow", &json!({"name": "slow"})).await;
        world.register("/quick", &json!({"name": "quick"})).await;
        world.api.send_id("e").await;
        let pending = world.api.wait_for_deliveries("pending", 1).await;
        assert_eq!((&pending[0]["endpoint_name"], &pending[0]["attempt_count"]), (&json!("slow"), &json!(0)));
        assert!(pending[0]["last_attempt_at"].is_null() && pending[0]["response_time"].is_null(), "{pending:?}");
        assert_eq!(world.api.ended("e").await["endpoint_name"], "quick");
    }
}
