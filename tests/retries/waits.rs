//! How long a delivery waits for its next attempt.

use serde_json::{Value, json};

use crate::harness::{World, both_modes, wait_of};

/// Between an answer and the moment that its wait is counted from.
const SLACK: f64 = 1.5;

#[track_caller]
fn assert_waits(delivery: &Value, seconds: f64) {
    let wait = wait_of(delivery);
    assert!((seconds - 0.001..seconds + SLACK).contains(&wait), "{wait} instead of {seconds}: {delivery}");
}

/// The waits of `count` deliveries that failed once.
async fn waits(world: &World, count: u32, more: &Value) -> Vec<f64> {
    world.receiver.statuses("/", [500]);
    world.register("/", more).await;
    let events: Vec<_> = (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect();
    world.api.send(&events.into()).await;
    world.api.wait_for_deliveries("retrying", count as usize).await.iter().map(wait_of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_is_the_delay_doubled_for_each_further_attempt() {
    let world = World::production().set("POSTHASTE__RETRY__JITTER", "0").await;
    world.receiver.statuses("/", [500]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 6, "retry_delay": 100})).await;
    for (attempt, seconds) in [(1, 100.0), (2, 200.0), (3, 400.0), (4, 800.0), (5, 1600.0)] {
        let delivery = world.api.retrying("e", attempt).await;
        assert_waits(&delivery, seconds);
        world.hurry(&delivery).await;
    }
    assert_eq!(world.api.ended("e").await["attempt_count"], 6);
}

both_modes! {
    async fn an_attempt_is_made_when_it_is_due_and_not_before(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        world.receiver.statuses("/", [500]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 4, "retry_delay": 0.4})).await;
        world.api.ended("e").await;
        let requests = world.receiver.requests();
        let gaps: Vec<_> = requests.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
        for (gap, wait) in gaps.iter().zip([0.4, 0.8, 1.6]) {
            assert!((wait..wait + SLACK).contains(gap), "{gaps:?}");
        }
        assert_eq!(gaps.len(), 3);
    }

    async fn waits_are_longer_or_shorter_by_up_to_a_tenth(setup: Setup) {
        let waits = waits(&setup.await, 100, &json!({"retry_delay": 100})).await;
        assert!(waits.iter().all(|wait| (90.0 - 0.001..110.0 + SLACK).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 97.0) && waits.iter().any(|wait| *wait > 103.0 + SLACK), "{waits:?}");
    }

    async fn jitter_is_a_setting(setup: Setup) {
        let waits = waits(&setup.set("POSTHASTE__RETRY__JITTER", "0.5").await, 100, &json!({"retry_delay": 1000})).await;
        assert!(waits.iter().all(|wait| (500.0 - 0.001..1500.0 + SLACK).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 800.0) && waits.iter().any(|wait| *wait > 1200.0), "{waits:?}");
    }

    async fn no_wait_is_longer_than_max_delay(setup: Setup) {
        let waits = waits(&setup.set("POSTHASTE__RETRY__MAX_DELAY", "50").await, 50, &json!({"retry_delay": 1000})).await;
        assert!(waits.iter().all(|wait| (45.0 - 0.001..50.0 + SLACK).contains(wait)), "{waits:?}");
    }

    async fn max_delay_is_six_hours_where_nobody_says_otherwise(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        let waits = waits(&world, 1, &json!({"retry_delay": 100_000})).await;
        assert!((21_600.0 - 0.001..21_600.0 + SLACK).contains(&waits[0]), "{waits:?}");
    }
}
