//! A process that ends in the middle of a run leaves it to the next one: nothing is put back twice, and nothing is forgotten.

use serde_json::json;

use super::retry_failed;
use crate::harness::world::launch;
use crate::harness::{LONG, both_modes, eventually};

const LEASE: (&str, &str) = ("POSTHASTE__REDIS__LEASE", "1");

both_modes! {
    async fn a_run_goes_on_after_kill_9(setup: Setup) {
        let mut world = setup.set(LEASE.0, LEASE.1).set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        let endpoint = world.failed("/", 3000, &json!({})).await;
        let gate = world.closed("/");
        let run = world.start_run(endpoint).await;
        world.run_is_full(&run).await;
        world.crash().await;
        gate.open();
        let done = world.run_is(&run, |run| run["status"] == "done").await;
        assert_eq!((&done["done"], &done["refused"]), (&json!(3000), &json!(0)));
        world.delivered(endpoint, 3000).await;
        assert_eq!(world.not_attempted_twice(endpoint).await, 0);
    }

    async fn a_process_that_ends_right_after_a_page_is_committed_loses_and_doubles_nothing(setup: Setup) {
        let mut world = setup.set(LEASE.0, LEASE.1).set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        let endpoint = world.failed("/", 1500, &json!({})).await;
        world.app.terminate();
        world.app.exited().await;
        let env = [LEASE, ("FAILPOINTS", "run_page=return")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut faulty = launch(&world.stores, "all", &env).start().await;
        let answer = faulty.api().post(&retry_failed(endpoint), &json!({})).await.expect(202);
        eventually(LONG, async || faulty.status()).await;
        assert_eq!((world.in_status(endpoint, "failed").await, world.receiver.count()), (500, 0));
        world.start_again().await;
        let done = world.run_is(&answer["run"], |run| run["status"] == "done").await;
        assert_eq!(done["done"], 1500);
        world.delivered(endpoint, 1500).await;
        assert_eq!((world.not_attempted_twice(endpoint).await, world.receiver.count()), (0, 1500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_worker_takes_a_run_over() {
    let mut world = crate::harness::World::production().role("api").set(LEASE.0, LEASE.1).await;
    let mut first = world.another("worker").await;
    let endpoint = world.failed("/", 3000, &json!({})).await;
    let gate = world.closed("/");
    let run = world.start_run(endpoint).await;
    world.run_is_full(&run).await;
    let _second = world.another("worker").await;
    first.kill();
    gate.open();
    assert_eq!(world.run_is(&run, |run| run["status"] == "done").await["done"], 3000);
    world.delivered(endpoint, 3000).await;
    assert_eq!(world.not_attempted_twice(endpoint).await, 0);
    world.app.kill();
}
