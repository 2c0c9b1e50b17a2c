//! What the books must say in the end.

use std::collections::HashSet;

use redis::aio::MultiplexedConnection;

use crate::harness::{LONG, Process, World, eventually};

use super::stage::Stage;
use super::tally::Tally;

/// Every event came to each of these paths, has one row there, and that row is delivered. `attempts` says how many a delivery took,
/// by the event's id and the path.
pub(super) async fn assert_all_delivered(world: &World, paths: &[&str], events: usize, attempts: impl Fn(&str, &str) -> u32) -> Tally {
    world.settled().await;
    let tally = Tally::of(&world.receiver);
    for path in paths {
        assert_eq!(tally.events_at(path), events, "events at {path}");
    }
    assert_eq!(tally.deliveries(), events * paths.len(), "deliveries at the receiver");
    let expected = i64::try_from(events * paths.len()).expect("few");
    let pairs = "SELECT count(*) AS number FROM (SELECT DISTINCT event_id, endpoint_id FROM webhook_deliveries) AS pairs";
    let delivered = "SELECT count(*) AS number FROM webhook_deliveries WHERE status = 'delivered'";
    let rows = (world.rows("webhook_deliveries").await, world.number(pairs).await, world.number(delivered).await);
    assert_eq!(rows, (expected, expected, expected), "rows, pairs of event and endpoint, delivered");
    assert_eq!(world.rows("webhook_events").await, i64::try_from(events).expect("few"), "rows of events");
    let stats = world.api.get("/api/webhooks/stats").await.expect(200);
    let totals = [&stats["total_deliveries"], &stats["successful_deliveries"], &stats["failed_deliveries"]];
    assert_eq!(totals.map(|total| total.as_i64().unwrap()), [expected, expected, 0], "the totals are those of the rows");
    let unanswered = "SELECT count(*) AS number FROM webhook_attempts WHERE response_status IS NULL";
    assert_eq!(world.number(unanswered).await, 0, "every attempt had its answer from the receiver");
    tally.assert_attempts(attempts);
    tally
}

/// Each row has as many attempts as the receiver was told of.
pub(super) async fn assert_rows_count_as_the_receiver_does(world: &World, tally: &Tally) {
    let rows = world.sql().await.query("SELECT id::text, attempt_count FROM webhook_deliveries", &[]).await.unwrap();
    for row in rows {
        let (id, attempts) = (row.get::<_, String>(0), row.get::<_, i32>(1));
        assert_eq!(i64::from(attempts), i64::from(tally.highest(&id)), "attempts of {id}, in its row and at the receiver");
    }
}

/// The workers stop in order and leave nothing in Redis: no dead letter, and no claim, not even of those that were killed.
pub(super) async fn assert_nothing_is_left(stage: &mut Stage) {
    let mut redis = stage.world.redis().await;
    // A living worker that waits holds an empty claim, for a second at a time; what stays longer is a dead one's.
    let before: HashSet<String> = claims(&mut redis).await;
    eventually(LONG, async || before.is_disjoint(&claims(&mut redis).await).then_some(())).await;
    stop_all(&mut stage.workers).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("webhook_*").query_async(&mut redis).await.unwrap();
    // But for the mark by which the next worker knows that nothing was lost.
    assert_eq!(keys, ["webhook_memory"], "keys in Redis");
}

async fn claims(redis: &mut MultiplexedConnection) -> HashSet<String> {
    redis::cmd("ZRANGE").arg("webhook_claims").arg(&[0, -1]).query_async(redis).await.unwrap()
}

async fn stop_all(workers: &mut [Process]) {
    for worker in workers.iter() {
        worker.terminate();
    }
    for worker in workers {
        assert_eq!(worker.exited().await.code(), Some(0), "{}", worker.stderr());
    }
}
