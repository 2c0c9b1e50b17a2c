//! Few requests in a long time, and what comes one by one.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{events, limit, span};
use crate::harness::{Door, Reply, both_modes};

/// A slot may be used as late as that.
const UNSTEADY: Duration = Duration::from_millis(100);

both_modes! {
    async fn a_single_event_is_not_delayed(setup: Setup) {
        let world = setup.await;
        world.register("/", &limit(1, 60.0)).await;
        let started = Instant::now();
        world.api.send_id("e").await;
        let request = world.arrived("e").await;
        assert!(request.at.duration_since(started) < Duration::from_secs(5), "{:?}", request.at.duration_since(started));
    }

    async fn a_slow_limit_is_kept(setup: Setup) {
        let world = setup.await;
        world.register("/", &limit(1, 2.0)).await;
        world.enqueue(Door::Http, &events(0, 4)).await;
        let requests = world.receiver.wait_for(4).await;
        for pair in requests.windows(2) {
            let apart = pair[1].at.duration_since(pair[0].at);
            assert!(apart >= Duration::from_secs(2) - UNSTEADY, "{apart:?}");
        }
        let took = span(&requests);
        assert!(took < Duration::from_secs(8), "none of them was lost or late: {took:?}");
        world.all_delivered_at_once(4).await;
    }

    async fn further_attempts_count_too(setup: Setup) {
        let world = setup.await;
        world.receiver.rule("/", |request| Reply::status(if request.attempt() == 1 { 500 } else { 204 }));
        let mut more = limit(4, 2.0);
        more["retry_delay"] = json!(0.1);
        world.register("/", &more).await;
        world.enqueue(Door::Http, &events(0, 4)).await;
        let requests = world.receiver.wait_for(8).await;
        for pair in requests.windows(2) {
            let apart = pair[1].at.duration_since(pair[0].at);
            assert!(apart >= Duration::from_millis(500) - UNSTEADY, "{apart:?}");
        }
        let delivered = world.api.wait_for_deliveries("delivered", 4).await;
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 2), "{delivered:?}");
    }
}
