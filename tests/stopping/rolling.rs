//! Workers are replaced one after the other under load, as a deployment does it.

use serde_json::json;

use crate::harness::{LONG, World, eventually};

const EVENTS: usize = 3000;
const BATCH: usize = 50;

/// Pushes all events, a batch for each hundred that arrived, so that there is load all the while.
async fn push_all(world: &World) {
    for first in (0..EVENTS).step_by(BATCH) {
        let entries: Vec<_> =
            (first..first + BATCH).map(|number| format!(r#"{{"id":"e{number}","event_type":"a","data":{number}}}"#)).collect();
        world.push(&entries).await;
        world.receiver.wait_for(first.saturating_sub(10 * BATCH)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_three_workers_loses_nothing_and_repeats_nothing() {
    let world = World::production().await;
    world.register("/", &json!({})).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(world.another("worker").await);
    }
    let replace_all = async {
        for old in &mut workers {
            let new = world.another("worker").await;
            old.terminate();
            assert_eq!(old.exited().await.code(), Some(0), "{}", old.stderr());
            *old = new;
        }
    };
    tokio::join!(push_all(&world), replace_all);
    let sql = world.sql().await;
    eventually(LONG, async || {
        let row = sql.query_one("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", &[]).await.unwrap();
        (row.get::<_, i64>(0) == i64::try_from(EVENTS).unwrap()).then_some(())
    })
    .await;
    let row = sql.query_one("SELECT count(*), count(DISTINCT event_id), max(attempt_count) FROM webhook_deliveries", &[]).await.unwrap();
    let events = i64::try_from(EVENTS).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i32>(2)), (events, events, 1));
    let repeated: Vec<_> = world.receiver.counts().into_iter().filter(|(_, count)| *count != 1).collect();
    assert!(repeated.is_empty() && world.receiver.count() == EVENTS, "{} requests, {repeated:?}", world.receiver.count());
}
