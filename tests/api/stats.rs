//! Totals over the last hours.

use serde_json::{Value, json};

use super::{fields, problem};
use crate::harness::{World, both_modes};

async fn stats(world: &World, query: &str) -> Value {
    world.api.get(&format!("/api/webhooks/stats{query}")).await.expect(200)
}

both_modes! {
    async fn totals_and_rates_are_those_of_the_deliveries(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/bad", [500]);
        world.receiver.statuses("/waiting", [500]);
        for (path, more) in [("/a", json!({})), ("/b", json!({})), ("/c", json!({})), ("/bad", json!({"max_retries": 1})), ("/waiting", json!({}))] {
            world.register(path, &more).await;
        }
        world.api.send_id("e").await;
        world.api.retrying("e", 1).await;
        world.api.wait_for_deliveries("delivered", 3).await;
        world.api.wait_for_deliveries("failed", 1).await;
        let found = stats(&world, "?hours=24").await;
        let mut names = fields(&found);
        names.sort_unstable();
        let all = ["avg_response_time", "failed_deliveries", "period_hours", "success_rate", "successful_deliveries", "total_deliveries"];
        assert_eq!(names, all);
        assert_eq!((&found["total_deliveries"], &found["successful_deliveries"], &found["failed_deliveries"]), (&json!(5), &json!(3), &json!(1)));
        assert_eq!((&found["success_rate"], &found["period_hours"]), (&json!(75.0), &json!(24)));
        let times: Vec<_> = world.api.deliveries("").await.iter().map(|delivery| delivery["response_time"].as_f64().unwrap()).collect();
        let average = times.iter().sum::<f64>() / 5.0;
        assert!((found["avg_response_time"].as_f64().unwrap() - average).abs() < 1e-6, "{found} instead of {average}");
        assert_eq!(stats(&world, "").await, found);
        assert_eq!(stats(&world, "?hours=1").await["total_deliveries"], 5);
        assert_eq!(stats(&world, "?tenant=other").await["total_deliveries"], 0);
    }

    async fn nothing_delivered_is_no_division_by_zero(setup: Setup) {
        let found = stats(&setup.await, "?hours=2").await;
        assert_eq!((&found["total_deliveries"], &found["success_rate"], &found["period_hours"]), (&json!(0), &json!(0.0), &json!(2)));
        assert_eq!(found["avg_response_time"], 0.0);
    }

    async fn wrong_hours_are_named(setup: Setup) {
        let world = setup.await;
        for hours in ["0", "-1", "many", "1.5", "99999999999"] {
            assert_eq!(problem(&world.api.get(&format!("/api/webhooks/stats?hours={hours}")).await, 400), ["hours"], "{hours}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_period_does_not_count() {
    let world = World::production().await;
    world.register("/", &json!({})).await;
    world.api.send_id("old").await;
    world.api.ended("old").await;
    // Its id says when it was made, and so it has to be a new one.
    let older = "UPDATE webhook_deliveries SET created_at = created_at - interval '3 hours', \
                 id = (lpad(to_hex((extract(epoch FROM created_at - interval '3 hours') * 1000)::bigint), 12, '0') \
                       || substr(replace(id::text, '-', ''), 13))::uuid";
    world.sql().await.batch_execute(older).await.unwrap();
    world.api.send_id("new").await;
    world.api.ended("new").await;
    for (hours, count) in [(1, 1), (2, 1), (4, 2), (24, 2)] {
        assert_eq!(stats(&world, &format!("?hours={hours}")).await["total_deliveries"], count, "{hours}");
    }
}
