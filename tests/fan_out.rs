//! Many events, several endpoints, several workers: each endpoint gets each event once.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::harness::World;

const EVENTS: usize = 20_000;
const ENDPOINTS: usize = 5;
/// A debug build on two busy cores needs a minute or two.
const LONG_ENOUGH: Duration = Duration::from_secs(400);

fn entry(number: usize) -> String {
    json!({"id": format!("e{number}"), "event_type": "order.created", "data": {"number": number}}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_send_20_000_events_to_5_endpoints_exactly_once_each() {
    let world = World::production().await;
    let _others = (world.another("worker").await, world.another("worker").await);
    for number in 0..ENDPOINTS {
        world.register(&format!("/{number}"), &json!({})).await;
    }
    // The other two know the endpoints within a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for first in (0..EVENTS).step_by(1000) {
        world.push(&(first..first + 1000).map(entry).collect::<Vec<_>>()).await;
    }
    world.receiver.wait_until(LONG_ENOUGH, |requests| requests.len() >= EVENTS * ENDPOINTS).await;
    world.settled().await;
    let requests = world.receiver.requests();
    let pairs: HashSet<_> = requests.iter().map(|request| (request.event_id(), request.path.as_str())).collect();
    let deliveries: HashSet<_> = requests.iter().map(|request| request.delivery_id()).collect();
    assert_eq!((requests.len(), pairs.len(), deliveries.len()), (EVENTS * ENDPOINTS, EVENTS * ENDPOINTS, EVENTS * ENDPOINTS));
    let delivered = "SELECT count(*) AS number FROM webhook_deliveries WHERE status = 'delivered' AND attempt_count = 1";
    let rows = (world.rows("webhook_events").await, world.rows("webhook_deliveries").await, world.number(delivered).await);
    assert_eq!(rows, (20_000, 100_000, 100_000));
}
