//! A receiver that freezes, and then answers again.

use std::time::Duration;

use super::{events, limit, most_within};
use crate::harness::{Door, Gate, Reply, both_modes};
use serde_json::json;

const PER_SECOND: usize = 20;

both_modes! {
    async fn a_receiver_that_froze_does_not_get_at_once_what_it_missed(setup: Setup) {
        // What waits in its lane stays there for as long as it is frozen.
        let world = setup.set("POSTHASTE__WORKER__PARK_AFTER", "20").await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        let mut more = limit(20, 1.0);
        more["in_flight"] = json!(4);
        world.register("/", &more).await;
        world.enqueue(Door::Http, &events(0, 100)).await;
        world.receiver.wait_for(4).await;
        // This is how long it is frozen: two windows' worth of slots pass.
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate.open();
        let requests = world.receiver.wait_for(100).await;
        // A slot may be used a tenth of a second late.
        let most = most_within(Duration::from_secs(1), &requests);
        assert!(most <= PER_SECOND + PER_SECOND / 10 + 1, "{most} requests within a second");
        world.all_delivered_at_once(100).await;
    }

    async fn an_endpoint_that_asks_to_be_left_alone_gets_nothing_in_spite_of_its_limit(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::with_header(429, "Retry-After", "3"), Reply::status(204)]);
        let mut more = limit(20, 1.0);
        more["retry_delay"] = json!(0.1);
        world.register("/", &more).await;
        world.enqueue(Door::Http, &events(0, 1)).await;
        let asked = world.receiver.wait_for(1).await[0].at;
        world.api.retrying("e0", 1).await;
        world.enqueue(Door::Http, &events(1, 20)).await;
        world.api.wait_for_deliveries("delivered", 21).await;
        let first = world.receiver.requests().iter().skip(1).map(|request| request.at).min().expect("20 more");
        assert!(first.duration_since(asked) >= Duration::from_secs(3), "{:?}", first.duration_since(asked));
    }
}
