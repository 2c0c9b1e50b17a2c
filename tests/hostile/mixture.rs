//! All bad receivers at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{http_2, receivers};
use crate::harness::{Authority, LONG, World, eventually};

/// How many events each bad receiver gets.
const EVENTS: usize = 10;
const WARMING: usize = 5;
/// How late a healthy endpoint's delivery may come, on machines that have much else to do.
const LATE: Duration = Duration::from_secs(10);

fn events(round: &str, count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("{round}.{number}"), "event_type": "hostile", "data": "x".repeat(2000)})).collect()
}

/// Enqueues events for all bad receivers, and one after the other for the healthy one, until the bad ones have had theirs.
async fn round(world: &World, name: &str, count: usize) -> Duration {
    world.api.send(&events(name, count)).await;
    let settled = world.settled();
    tokio::pin!(settled);
    let mut worst = Duration::ZERO;
    for number in 0.. {
        let id = format!("{name}.healthy.{number}");
        let sent = Instant::now();
        world.api.send(&json!({"id": id, "event_type": "healthy", "data": {}})).await;
        world.arrived(&id).await;
        worst = worst.max(sent.elapsed());
        let over = tokio::time::timeout(Duration::from_millis(50), &mut settled).await.is_ok();
        if over {
            break;
        }
    }
    worst
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_receivers_delay_no_good_one_and_leave_neither_sockets_nor_memory_behind() {
    let authority = Authority::new();
    let world = World::production()
        .set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap())
        .set("POSTHASTE__CONNECTIONS__IDLE", "1")
        // Otherwise the breaker would spare us most of them.
        .set("POSTHASTE__BREAKER__SILENT", "1000000")
        .set("POSTHASTE__BREAKER__FAILURES", "1000000")
        .await;
    world.register("/", &json!({"event_types": ["healthy"]})).await;
    let mut hostile = receivers::all().await;
    hostile.extend(http_2::all(&authority).await);
    for receiver in &hostile {
        let endpoint = json!({"name": receiver.name, "event_types": ["hostile"], "max_retries": 1, "timeout": 0.5});
        world.api.register(&receiver.url(), &endpoint).await;
    }
    // What is made once and kept is made now: threads, buffers, connections to our own servers.
    round(&world, "warming", WARMING).await;
    eventually(LONG, async || (world.app.connections() < 64).then_some(())).await;
    let (sockets, memory) = (world.app.connections(), world.app.resident());

    let worst = round(&world, "round", EVENTS).await;
    assert!(worst < LATE, "a healthy endpoint's delivery took {worst:?}");
    let count = world.number("SELECT count(*) AS number FROM webhook_deliveries WHERE event_type = 'hostile'").await;
    assert_eq!(usize::try_from(count).unwrap(), hostile.len() * (EVENTS + WARMING));
    eventually(LONG, async || (world.app.connections() <= sockets + sockets / 10 + 4).then_some(())).await;
    let after = world.app.resident();
    assert!(after <= memory + memory / 10 + 16 * 1024, "{memory} KiB before, {after} KiB after");
}
