//! It holds in every process, however the endpoint was disabled.

use std::time::Duration;

use serde_json::json;

use super::{BY_OWNER, SOON, event, type_of};
use crate::harness::{Gate, Process, Reply, Stores, World, eventually, world};

/// A change in one process is in force in every other after this.
const WITHIN: Duration = Duration::from_secs(1);

/// A world whose requests are all made by another process than the one that answers the API.
async fn with_a_worker_elsewhere() -> (World, Process) {
    let stores = Stores::production().await;
    let worker = world::launch(&stores, "worker", &[]).set("POSTHASTE__WORKER__PARK_AFTER", "60").start().await;
    let mut world = World::production().over(stores).await;
    world.app = world.another("api").await;
    world.api = world.app.api();
    (world, worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_sql_stops_what_waits_and_says_why() {
    let (world, _worker) = with_a_worker_elsewhere().await;
    let (disabled, deleted) = (world.hourly("/").await, world.hourly("/deleted").await);
    // The promise is a time.
    tokio::time::sleep(WITHIN).await;
    world.fail_once("/", disabled, 20).await;
    world.fail_once("/deleted", deleted, 20).await;
    world.execute(&format!("UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'too slow' WHERE id = {disabled}")).await;
    world.execute(&format!("DELETE FROM webhook_endpoints WHERE id = {deleted}")).await;
    for (endpoint, reason) in [(disabled, "the endpoint is disabled: too slow"), (deleted, "the endpoint was removed")] {
        world.becomes_within(SOON, endpoint, "failed", 20).await;
        let failed = world.api.deliveries(&format!("endpoint_id={endpoint}")).await;
        assert!(failed.iter().all(|delivery| delivery["error_message"] == reason), "{failed:?}");
    }
    world.nothing_is_scheduled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lane_of_a_worker_elsewhere_is_emptied_and_its_running_request_counts() {
    let (world, _worker) = with_a_worker_elsewhere().await;
    let gate = Gate::closed();
    world.receiver.script("/", [Reply::status(204).behind(&gate)]);
    let endpoint = world.register("/", &json!({"event_types": [type_of("/")], "in_flight": 1})).await;
    tokio::time::sleep(WITHIN).await;
    let events: Vec<_> = (0..100).map(|number| event("/", &format!("e{number}"))).collect();
    world.api.send(&events.into()).await;
    world.receiver.wait_for(1).await;
    world.disable(endpoint).await;
    let unfinished = "SELECT count(*) AS number FROM webhook_events WHERE routed_at IS NULL";
    eventually(SOON, async || (world.number(unfinished).await == 1).then_some(())).await;
    gate.open();
    world.becomes_within(SOON, endpoint, "delivered", 1).await;
    world.settled().await;
    assert_eq!(world.receiver.count(), 1);
    let failed = world.api.deliveries("status=failed&limit=500").await;
    assert_eq!(failed.len(), 99);
    assert!(failed.iter().all(|delivery| delivery["error_message"] == BY_OWNER), "{failed:?}");
}
