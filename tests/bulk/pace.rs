//! A run is never faster than the endpoint's rate limit.

use std::time::Instant;

use serde_json::json;

use crate::harness::both_modes;

const PER_SECOND: f64 = 50.0;

both_modes! {
    async fn a_run_keeps_to_the_rate_limit(setup: Setup) {
        let world = setup.await;
        let endpoint = world.failed("/", 250, &json!({"rate_limit": {"max_requests": 50, "window": 1}})).await;
        let started = Instant::now();
        let run = world.start_run(endpoint).await;
        let done = world.run_is(&run, |run| {
            // A page is what is allowed in one second, and is put back at its start.
            let allowed = PER_SECOND * (started.elapsed().as_secs_f64() + 1.0);
            assert!(run["done"].as_f64().unwrap() <= allowed, "{run} after {:?}", started.elapsed());
            run["status"] != "running"
        });
        let done = done.await;
        assert_eq!((&done["status"], &done["done"]), (&json!("done"), &json!(250)));
        assert!(started.elapsed().as_secs_f64() >= 4.0, "{:?}", started.elapsed());
        world.delivered(endpoint, 250).await;
    }
}
