//! What cannot be processed is set aside alone, with its reason, and everything around it goes on.

use serde_json::{Value, json};

use crate::harness::{Door, LONG, Reply, World, both_modes, eventually};

fn events(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| json!({"id": id, "event_type": "a", "data": 1}).to_string()).collect()
}

async fn dead_letters(world: &World, count: usize) -> Vec<Value> {
    let mut redis = world.redis().await;
    let range = redis::cmd("LRANGE").arg(world.key("webhook_dead_letters")).arg(0).arg(-1).to_owned();
    let found: Vec<String> = eventually(LONG, async || {
        let found: Vec<String> = range.query_async(&mut redis).await.expect("Redis runs");
        (found.len() >= count).then_some(found)
    })
    .await;
    assert_eq!(found.len(), count, "{found:?}");
    found.iter().map(|letter| serde_json::from_str(letter).expect("JSON")).collect()
}

fn assert_reason(letter: &Value, wanted: &str) {
    assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains(wanted)), "{letter}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_makes_the_worker_panic_is_set_aside_alone() {
    let mut world = World::production().set("FAILPOINTS", "matching=return(bad)").await;
    world.register("/", &json!({})).await;
    world.push(&events(&["a", "bad", "b"])).await;
    world.api.wait_for_deliveries("delivered", 2).await;
    let letter = dead_letters(&world, 1).await.remove(0);
    assert_reason(&letter, "panic");
    world.settled().await;
    assert!(world.app.status().is_none(), "it goes on");
    // Its own copy is whole: enqueued again, with what made it panic mended, it goes out.
    world.app.terminate();
    world.app.exited().await;
    let other = crate::harness::world::launch(&world.stores, "all", &[]).start().await;
    world.push(&[letter["entry"].as_str().expect("text").to_owned()]).await;
    world.arrived("bad").await;
    drop(other);
}

both_modes! {
    async fn an_accepted_event_that_makes_the_worker_panic_is_set_aside_alone(setup: Setup) {
        let world = setup.set("FAILPOINTS", "matching=return(bad)").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        world.register("/", &json!({})).await;
        world.enqueue(Door::Http, &events(&["a", "bad", "b"])).await;
        world.api.wait_for_deliveries("delivered", 2).await;
        eventually(LONG, async || (world.rows("webhook_events WHERE set_aside LIKE '%panic%'").await == 1).then_some(())).await;
        world.settled().await;
        assert_eq!(world.receiver.count(), 2);
    }

    async fn a_delivery_that_makes_the_worker_panic_fails_alone(setup: Setup) {
        let world = setup.set("FAILPOINTS", "sending=return(bad)").await;
        world.register("/", &json!({})).await;
        world.enqueue(Door::Http, &events(&["a", "bad", "b"])).await;
        world.api.wait_for_deliveries("delivered", 2).await;
        let failed = world.api.wait_for_deliveries("failed", 1).await.remove(0);
        assert_reason(&json!({"reason": failed["error_message"]}), "panic");
        assert_eq!((&failed["event_id"], &failed["attempt_count"]), (&json!("bad"), &json!(0)));
        world.settled().await;
        assert_eq!(world.receiver.count(), 2);
    }

    async fn a_delivery_whose_event_is_gone_fails_with_that_reason(setup: Setup) {
        let world = setup.await;
        world.receiver.rule("/", |request| Reply::status(if request.attempt() == 1 { 500 } else { 204 }));
        world.register("/", &json!({"retry_delay": 3})).await;
        world.enqueue(Door::Http, &events(&["gone", "kept"])).await;
        world.api.wait_for_deliveries("retrying", 2).await;
        world.execute("DELETE FROM webhook_events WHERE id = 'gone'").await;
        let failed = world.api.wait_for_deliveries("failed", 1).await.remove(0);
        assert_reason(&json!({"reason": failed["error_message"]}), "its event is gone");
        assert_eq!(world.api.ended("kept").await["status"], "delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_of_an_accepted_event_that_is_pushed_again_goes_out() {
    let mut world = World::production().set("FAILPOINTS", "matching=return(bad)").await;
    world.register("/", &json!({})).await;
    world.enqueue(Door::Http, &events(&["bad"])).await;
    let letter = dead_letters(&world, 1).await.remove(0);
    world.app.terminate();
    world.app.exited().await;
    let _other = crate::harness::world::launch(&world.stores, "all", &[]).start().await;
    world.push(&[letter["entry"].as_str().expect("text").to_owned()]).await;
    world.arrived("bad").await;
    world.settled().await;
    assert_eq!(world.rows("webhook_events WHERE set_aside IS NULL AND routed_at IS NOT NULL").await, 1);
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_inserted_by_sql_that_is_too_large_is_set_aside_alone() {
    let world = World::production().set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "1000").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    world.register("/", &json!({})).await;
    let large = format!("\"{}\"", "x".repeat(2000));
    let insert = "INSERT INTO webhook_events (id, event_type, data) VALUES ('large', 'a', $1::text::json), ('small', 'a', '1')";
    world.sql().await.execute(insert, &[&large]).await.expect("inserted");
    world.arrived("small").await;
    let letter = dead_letters(&world, 1).await.remove(0);
    assert_reason(&letter, "2002 bytes");
    assert_reason(&letter, "limits.max_event_bytes");
    world.settled().await;
    assert_eq!(world.receiver.count(), 1);
    // With less data it goes out, through any door.
    world.enqueue(Door::Http, &events(&["large"])).await;
    assert_eq!(world.arrived("large").await.json()["data"], 1);
    world.settled().await;
    assert_eq!(world.rows("webhook_events WHERE set_aside IS NULL AND octet_length(data::text) = 1").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_the_schedule_that_are_no_ids_are_set_aside_alone() {
    let world = World::production().await;
    world.receiver.statuses("/", [500, 204]);
    let mut redis = world.redis().await;
    let mut add = redis::cmd("ZADD");
    add.arg(world.key("webhook_retries"));
    for member in [&b"nonsense"[..], b"\xff\xfe", b"", b"0197A0C0-0000-8000-8000-000000000001"] {
        add.arg(1).arg(member);
    }
    add.query_async::<()>(&mut redis).await.expect("Redis runs");
    world.api.deliver("e", &world.receiver.url("/"), &json!({"retry_delay": 0.1})).await;
    assert_eq!(world.api.ended("e").await["status"], "delivered");
    for letter in dead_letters(&world, 4).await {
        assert_reason(&letter, "not a delivery id");
    }
    world.settled().await;
}
