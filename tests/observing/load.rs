//! Some of everything, for as long as it is wanted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Api, Process, Reply, Stores, World, places, redis};

/// An API and a worker that deliver while this lives: to an endpoint that is well, one that fails, one that hangs, one that refuses connections
/// and one with a rate limit, with entries in between that are no events.
pub(super) struct Load {
    pub(super) world: World,
    pub(super) worker: Process,
    _running: JoinSet<()>,
}

impl Load {
    pub(super) async fn start() -> Self {
        let world = World::production()
            .role("api")
            .set("RETRY_DELAY", "0.2")
            .set("POSTHASTE__BREAKER__SILENT", "3")
            .set("POSTHASTE__BREAKER__MAX_PAUSE", "1")
            .set("POSTHASTE__SWEEP__INTERVAL", "0.2")
            .await;
        let worker = world.another("worker").await;
        world.receiver.statuses("/failing", [500]);
        world.receiver.script("/hanging", [Reply::hang()]);
        let endpoint = |name: &str| json!({"name": name, "event_types": ["load.*"], "max_retries": 2});
        world.register("/well", &endpoint("well")).await;
        world.register("/failing", &endpoint("failing")).await;
        world.register("/hanging", &json!({"name": "hanging", "event_types": ["load.hangs"], "timeout": 0.2, "max_retries": 100})).await;
        world
            .register("/limited", &json!({"name": "limited", "event_types": ["load.a"], "rate_limit": {"max_requests": 3, "window": 1}}))
            .await;
        world.api.register(&format!("http://127.0.0.1:{}/", places::free_port()), &endpoint("refuses")).await;
        let mut running = JoinSet::new();
        running.spawn(enqueue(world.api.clone()));
        running.spawn(push(world.stores.clone()));
        Self { world, worker, _running: running }
    }
}

/// Door 2.
async fn enqueue(api: Api) {
    for number in 0_u64.. {
        let types = ["load.a", "load.b", "load.hangs", "nobody.wants"];
        let events: Vec<_> =
            types.iter().map(|event_type| json!({"id": format!("{event_type}-{number}"), "event_type": event_type, "data": 1})).collect();
        api.send(&events.into()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Door 1, where not everything is an event.
async fn push(stores: Stores) {
    let Stores::Production { redis_url, prefix, .. } = stores else { panic!("door 1 needs Redis") };
    let mut connection = redis::connect(&redis_url).await.expect("Redis runs");
    let list: Arc<str> = format!("{prefix}webhook_events").into();
    for number in 0_u64.. {
        let entries = [format!(r#"{{"id":"pushed-{number}","event_type":"load.b","data":1}}"#), format!("no event {number}")];
        ::redis::cmd("LPUSH").arg(&*list).arg(&entries).query_async::<()>(&mut connection).await.expect("Redis runs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
