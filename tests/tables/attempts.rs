//! Every attempt's own outcome can be read.

use serde_json::{Value, json};

use crate::harness::{Reply, World, both_modes, time};

fn script() -> [Reply; 4] {
    [Reply::full(500, &[], b"first"), Reply::drop_connection(), Reply::full(404, &[], b"third"), Reply::full(200, &[], b"fourth")]
}

async fn delivered(world: &World) -> Value {
    world.receiver.script("/", script());
    world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 9, "retry_delay": 0.02})).await;
    world.api.ended("e").await
}

both_modes! {
    async fn a_delivery_shows_all_its_attempts_in_order(setup: Setup) {
        let world = setup.await;
        let delivery = delivered(&world).await;
        let attempts = delivery["attempts"].as_array().unwrap();
        let column = |name: &str| attempts.iter().map(|attempt| attempt[name].clone()).collect::<Vec<_>>();
        assert_eq!(column("number"), [1, 2, 3, 4]);
        assert_eq!(column("response_status"), [json!(500), Value::Null, json!(404), json!(200)]);
        assert_eq!(column("response_body"), [json!("first"), Value::Null, json!("third"), json!("fourth")]);
        assert!(attempts[1]["error_message"].as_str().unwrap().starts_with("connection reset"), "{delivery}");
        assert!(attempts[3]["error_message"].is_null() && attempts[2]["error_message"].is_string(), "{delivery}");
        assert!(attempts.iter().all(|attempt| attempt["response_time"].as_f64().is_some_and(|seconds| seconds < 30.0)), "{delivery}");
        assert!(attempts.windows(2).all(|pair| time(&pair[0]["at"]) < time(&pair[1]["at"])), "{delivery}");
        // The delivery itself shows the latest.
        assert_eq!((&delivery["response_status"], &delivery["response_body"]), (&json!(200), &json!("fourth")));
        assert_eq!((&delivery["last_attempt_at"], &delivery["attempt_count"]), (&attempts[3]["at"], &json!(4)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_webhook_attempts_shows_the_same_as_the_api() {
    let world = World::production().await;
    let delivery = delivered(&world).await;
    let query = "SELECT delivery_id::text, attempt_number, response_status, response_body, response_time, error_message, \
                 to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM webhook_attempts ORDER BY attempt_number";
    let rows = world.sql().await.query(query, &[]).await.unwrap();
    let attempts: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(delivery["id"], row.get::<_, String>(0));
            json!({
                "number": row.get::<_, i32>(1),
                "response_status": row.get::<_, Option<i32>>(2),
                "response_body": row.get::<_, Option<String>>(3),
                "response_time": row.get::<_, f64>(4),
                "error_message": row.get::<_, Option<String>>(5),
                "at": row.get::<_, String>(6),
            })
        })
        .collect();
    assert_eq!(Value::from(attempts), delivery["attempts"]);
}
