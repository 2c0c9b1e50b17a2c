//! A backlog that takes the limit more than half an hour.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{LIMITED, limit, most_within};
use crate::harness::{LONG, World, eventually};

const BACKLOG: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_behind_a_limit_holds_up_nobody_else_and_is_not_claimed_again_and_again() {
    let world = World::production().await;
    let mut many = limit(10, 1.0);
    many["event_types"] = json!(["many"]);
    world.register("/many", &many).await;
    world.register("/other", &json!({"event_types": ["other"]})).await;
    let entries: Vec<_> =
        (0..BACKLOG).map(|number| json!({"id": format!("many{number}"), "event_type": "many", "data": number}).to_string()).collect();
    for some in entries.chunks(1000) {
        world.push(some).await;
    }
    for number in 0..20 {
        let (id, started) = (format!("other{number}"), Instant::now());
        world.api.send(&json!({"id": id, "event_type": "other", "data": 1})).await;
        world.arrived(&id).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    let all = i64::try_from(BACKLOG).unwrap() + 20;
    eventually(2 * LONG, async || (world.rows("webhook_deliveries").await >= all).then_some(())).await;
    // From now on only what is near its turn is claimed, and gets it.
    let sent = world.receiver.requests_to("/many").len();
    world.receiver.wait_until(LONG, |requests| requests.iter().filter(|request| request.path == "/many").count() >= sent + 100).await;
    let limited = world.api.metric(LIMITED).await.expect("it starts at zero");
    assert!(limited <= 20_100.0, "each went onto the schedule once: {limited}");
    let most = most_within(Duration::from_secs(10), &world.receiver.requests_to("/many"));
    assert!(most <= 102, "{most} requests within 10 s");
    assert_eq!(world.rows("webhook_deliveries WHERE status = 'failed' OR attempt_count > 1").await, 0);
}
