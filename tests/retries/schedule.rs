//! An endpoint's own schedule.

use serde_json::json;

use crate::harness::{World, both_modes, wait_of};

const STANDARD: [f64; 9] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];
const SLACK: f64 = 1.5;

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_schedule_has_ten_attempts_with_its_waits_between_them() {
    let world = World::production().set("POSTHASTE__RETRY__JITTER", "0").await;
    world.receiver.statuses("/", [500]);
    world.api.deliver("e", &world.receiver.url("/"), &json!({"retry_schedule": "standard"})).await;
    for (attempt, seconds) in (1..).zip(STANDARD) {
        let delivery = world.api.retrying("e", attempt).await;
        let wait = wait_of(&delivery);
        assert!((seconds - 0.001..seconds + SLACK).contains(&wait), "{wait} instead of {seconds}");
        world.hurry(&delivery).await;
    }
    let delivery = world.api.ended("e").await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(10)));
}

both_modes! {
    async fn an_endpoints_own_schedule_replaces_max_retries_and_retry_delay(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        world.receiver.statuses("/", [500]);
        let more = json!({"retry_schedule": [0.3, 0.1, 0.6], "max_retries": 1, "retry_delay": 1000});
        world.api.deliver("e", &world.receiver.url("/"), &more).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(4)));
        let requests = world.receiver.requests();
        let gaps: Vec<_> = requests.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
        for (gap, wait) in gaps.iter().zip([0.3, 0.1, 0.6]) {
            assert!((wait..wait + SLACK).contains(gap), "{gaps:?}");
        }
    }

    async fn the_word_standard_stands_for_a_schedule(setup: Setup) {
        let world = setup.set("POSTHASTE__RETRY__JITTER", "0").await;
        world.receiver.statuses("/", [500]);
        let id = world.register("/", &json!({"retry_schedule": "standard"})).await;
        assert_eq!(world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200)["retry_schedule"], json!(STANDARD));
        world.api.send_id("e").await;
        let wait = wait_of(&world.api.retrying("e", 1).await);
        assert!((5.0 - 0.001..5.0 + SLACK).contains(&wait), "{wait}");
    }

    async fn a_schedule_can_be_taken_away_again(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        let id = world.register("/", &json!({"retry_schedule": [100, 100], "max_retries": 1})).await;
        let changed = world.api.patch(&format!("/api/webhooks/endpoints/{id}"), &json!({"retry_schedule": null})).await.expect(200);
        assert!(changed["retry_schedule"].is_null(), "{changed}");
        world.api.send_id("e").await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(1)));
    }
}
