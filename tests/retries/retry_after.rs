//! `Retry-After` delays, and never hurries.

use std::time::{Duration, SystemTime};

use posthaste::model::clock;
use serde_json::json;

use crate::harness::{Reply, World, both_modes, wait_of};

const SLACK: f64 = 2.0;

fn http_date(from_now: Duration) -> String {
    httpdate::fmt_http_date(SystemTime::from(clock::now()) + from_now)
}

/// The wait after one answer with that status and `Retry-After`.
async fn wait_after(world: &World, name: &str, status: u16, value: &str, retry_delay: f64) -> f64 {
    let path = format!("/{name}");
    world.receiver.script(&path, [Reply::with_header(status, "Retry-After", value)]);
    world.api.deliver(name, &world.receiver.url(&path), &json!({"retry_delay": retry_delay})).await;
    wait_of(&world.api.retrying(name, 1).await)
}

both_modes! {
    async fn an_attempt_is_never_made_before_retry_after(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        for status in [429, 502, 503, 504, 500] {
            let wait = wait_after(&world, &format!("s{status}"), status, "50", 10.0).await;
            assert!((50.0 - 0.001..50.0 + SLACK).contains(&wait), "{status}: {wait}");
        }
    }

    async fn retry_after_may_be_a_date(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        let wait = wait_after(&world, "date", 503, &http_date(Duration::from_secs(100)), 10.0).await;
        // HTTP dates have whole seconds.
        assert!((99.0 - SLACK..100.0 + SLACK).contains(&wait), "{wait}");
        let wait = wait_after(&world, "past", 503, "Fri, 31 Dec 1999 23:59:59 GMT", 10.0).await;
        assert!((10.0 - 0.001..10.0 + SLACK).contains(&wait), "{wait}");
    }

    async fn retry_after_never_shortens_the_wait_and_nonsense_does_not_count(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        for (name, value) in [("short", "5"), ("zero", "0"), ("negative", "-7"), ("word", "soon"), ("fraction", "1e9")] {
            let wait = wait_after(&world, name, 429, value, 20.0).await;
            assert!((20.0 - 0.001..20.0 + SLACK).contains(&wait), "{name}: {wait}");
        }
    }

    async fn jitter_does_not_bring_an_attempt_before_retry_after(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "1").await;
        for number in 0..20 {
            let wait = wait_after(&world, &format!("e{number}"), 503, "30", 30.0).await;
            assert!(wait >= 30.0 - 0.001, "{wait}");
        }
    }

    async fn retry_after_counts_up_to_max_delay(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").set("POSTHASTE__RETRY__MAX_DELAY", "40").await;
        for (name, value) in [("long", "100000"), ("longest", "18446744073709551615"), ("date", &*http_date(Duration::from_secs(86_400)))] {
            let wait = wait_after(&world, name, 429, value, 10.0).await;
            assert!((40.0 - 0.001..40.0 + SLACK).contains(&wait), "{name}: {wait}");
        }
    }
}
