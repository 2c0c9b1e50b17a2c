//! Several workers, and what happens when one of them dies.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::json;

use super::{DELIVERY_FAILED, DISABLE_AFTER, DISABLED};
use crate::harness::world::launch;
use crate::harness::{LONG, World, eventually};

const ABORTED: i32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn several_workers_tell_of_one_endpoint_once() {
    let world = World::production().set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
    let _others = [world.another("worker").await, world.another("worker").await];
    world.listens("/told", &[DISABLED]).await;
    world.receiver.statuses("/bad", [500]);
    let endpoint = world.tireless("/bad", &json!({})).await;
    // Until each process knows the endpoint, an event may go to nobody.
    let mut number = 0;
    eventually(LONG, async || {
        number += 1;
        world.event_for("/bad", &format!("e{number}")).await;
        (world.endpoint(endpoint).await["is_active"] == false).then_some(())
    })
    .await;
    world.come_to("/told", 1).await;
    world.settled().await;
    assert_eq!(world.receiver.requests_to("/told").len(), 1);
    assert_eq!(world.number(&format!("SELECT count(*) AS number FROM webhook_events WHERE event_type = '{DISABLED}'")).await, 1);
}

/// Whoever recorded it dies before it could offer it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_told_survives_a_crash_right_after_the_commit() {
    let mut world = World::production().set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    world.listens("/told", &[DELIVERY_FAILED]).await;
    world.receiver.statuses("/bad", [500]);
    world.register("/bad", &json!({"event_types": ["order.created"], "max_retries": 1})).await;
    world.app.kill();
    world.push(&[json!({"id": "e", "event_type": "order.created", "data": {}}).to_string()]).await;
    let mut dying = launch(&world.stores, "worker", &[]).set("POSTHASTE__REDIS__LEASE", "1").set("FAILPOINTS", "recorded=return").spawn();
    assert_eq!(dying.exited().await.signal(), Some(ABORTED), "{}", dying.stderr());
    assert_eq!(world.receiver.requests_to("/told").len(), 0);
    world.start_again().await;
    world.come_to("/told", 1).await;
    world.settled().await;
    assert_eq!((world.receiver.requests_to("/bad").len(), world.receiver.requests_to("/told").len()), (1, 1));
}
