//! A backlog goes out exactly as fast as the limit allows.

use std::time::Duration;

use super::{events, limit, most_within, span};
use crate::harness::{Door, Process, World, both_modes};

const MOST: usize = 200;
const WINDOW: Duration = Duration::from_secs(10);
const BACKLOG: usize = 400;

async fn goes_out_evenly(world: &World, others: &[Process]) {
    world.register("/", &limit(200, 10.0)).await;
    for other in others {
        other.api().metric_becomes("webhook_endpoints_active", 1.0).await;
    }
    world.enqueue(Door::Http, &events(0, BACKLOG)).await;
    let all = tokio::time::timeout(Duration::from_secs(60), world.receiver.came(BACKLOG)).await;
    assert!(all.is_ok(), "{} requests within a minute, and it takes 20 s", world.receiver.count());
    let requests = world.receiver.requests();
    let most = most_within(WINDOW, &requests);
    assert!(most * 100 <= MOST * 102, "{most} requests within {WINDOW:?}");
    let (took, exactly) = (span(&requests).as_secs_f64(), 0.05 * 399.0);
    assert!((took - exactly).abs() <= exactly * 0.02, "{took} s instead of {exactly} s");
    world.all_delivered_at_once(BACKLOG).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_together_keep_the_limit_and_use_all_of_it() {
    let world = World::production().await;
    let others = [world.another("worker").await, world.another("worker").await];
    goes_out_evenly(&world, &others).await;
    for worker in others.iter().chain([&world.app]) {
        let attempts = r#"webhook_outcomes_total{class="2xx"}"#;
        assert!(worker.api().metric(attempts).await.is_some_and(|sent| sent > 0.0), "all of them sent some");
    }
}

both_modes! {
    async fn one_worker_keeps_the_limit_and_uses_all_of_it(setup: Setup) {
        goes_out_evenly(&setup.await, &[]).await;
    }
}
