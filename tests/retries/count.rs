//! How many attempts there are.

use serde_json::{Value, json};

use crate::harness::both_modes;

both_modes! {
    async fn max_retries_counts_attempts(setup: Setup) {
        let world = setup.await;
        for max in [1, 2, 5] {
            let (name, path) = (format!("e{max}"), format!("/{max}"));
            world.receiver.statuses(&path, [500]);
            world.api.deliver(&name, &world.receiver.url(&path), &json!({"max_retries": max, "retry_delay": 0.02})).await;
        }
        for max in [1, 2, 5_u32] {
            let delivery = world.api.ended(&format!("e{max}")).await;
            assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(max)), "{delivery}");
            let numbers: Vec<_> = delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["number"].as_u64()).collect();
            assert_eq!(numbers, (1..=u64::from(max)).map(Some).collect::<Vec<_>>());
        }
        // What would come too often came before this one ends.
        world.api.deliver("last", &world.receiver.url("/last"), &json!({})).await;
        world.api.ended("last").await;
        for max in [1, 2, 5_u32] {
            let requests = world.receiver.requests_to(&format!("/{max}"));
            let numbers: Vec<_> = requests.iter().map(|request| request.attempt()).collect();
            assert_eq!(numbers, (1..=max).collect::<Vec<_>>());
            assert!(requests.iter().all(|request| request.delivery_id() == requests[0].delivery_id()));
        }
    }

    async fn a_delivery_whose_attempts_ran_out_is_failed_and_stays_listed(setup: Setup) {
        let mut world = setup.await;
        world.receiver.statuses("/", [500]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 2, "retry_delay": 0.02})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["next_retry_at"]), (&json!("failed"), &Value::Null));
        world.start_again().await;
        let listed = world.api.deliveries("status=failed").await;
        assert_eq!((listed.len(), &listed[0]["id"]), (1, &delivery["id"]));
        assert_eq!(world.receiver.count(), 2);
    }

    async fn an_attempt_that_succeeds_is_the_last_one(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500, 503, 204]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 10, "retry_delay": 0.02})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(3)));
        assert_eq!((&delivery["next_retry_at"], &delivery["error_message"]), (&Value::Null, &Value::Null));
        assert_eq!(world.receiver.count(), 3);
    }

    async fn there_are_three_attempts_a_minute_apart_where_nobody_says_otherwise(setup: Setup) {
        let world = setup.await;
        let id = world.register("/", &json!({})).await;
        let endpoint = world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200);
        assert_eq!((&endpoint["max_retries"], &endpoint["retry_delay"]), (&json!(3), &json!(60.0)));
        assert_eq!(endpoint["retry_schedule"], Value::Null);
    }
}
