//! What became of deliveries: the list with its filters, and the single one.

use serde_json::{Value, json};

use super::{fields, problem};
use crate::harness::{World, both_modes, time};

const DELIVERIES: &str = "/api/webhooks/deliveries";

/// Two endpoints, one that takes everything and one that refuses; three events of two types, in order.
async fn some(world: &World) -> (i64, i64) {
    world.receiver.statuses("/bad", [500]);
    let good = world.register("/good", &json!({"name": "good"})).await;
    let bad = world.register("/bad", &json!({"name": "bad", "max_retries": 1, "event_types": ["order.paid"]})).await;
    for (id, event_type) in [("first", "order.created"), ("second", "order.paid"), ("third", "order.paid")] {
        world.api.send(&json!({"id": id, "event_type": event_type, "data": 1})).await;
        world.api.ended(id).await;
    }
    world.api.wait_for_deliveries("delivered", 3).await;
    world.api.wait_for_deliveries("failed", 2).await;
    (good, bad)
}

/// `event to endpoint`, sorted.
fn named(deliveries: &[Value]) -> Vec<String> {
    let mut names: Vec<_> = deliveries
        .iter()
        .map(|delivery| format!("{} to {}", delivery["event_id"].as_str().unwrap(), delivery["endpoint_name"].as_str().unwrap()))
        .collect();
    names.sort();
    names
}

both_modes! {
    async fn an_item_of_the_list_carries_what_happened_last(setup: Setup) {
        let world = setup.await;
        let (good, bad) = some(&world).await;
        let list = world.api.get(DELIVERIES).await.expect(200);
        let items = list["items"].as_array().unwrap();
        assert_eq!((items.len(), &list["next_cursor"]), (5, &Value::Null));
        let delivered = items.iter().find(|item| item["event_id"] == "first").unwrap();
        assert_eq!((&delivered["endpoint_id"], &delivered["endpoint_name"]), (&json!(good), &json!("good")));
        assert_eq!((&delivered["status"], &delivered["response_status"]), (&json!("delivered"), &json!(204)));
        assert!(delivered["response_time"].is_f64() && delivered["error_message"].is_null(), "{delivered}");
        let failed = items.iter().find(|item| item["endpoint_name"] == "bad").unwrap();
        assert_eq!((&failed["endpoint_id"], &failed["event_type"], &failed["attempt_count"]), (&json!(bad), &json!("order.paid"), &json!(1)));
        assert!(failed["error_message"].is_string() && failed["created_at"].as_str().unwrap().ends_with('Z'), "{failed}");
        assert!(fields(failed).contains(&"id"));
        assert_eq!(items.last().unwrap()["event_id"], "first", "newest first");
    }

    async fn each_filter_shows_what_matches_and_they_add_up(setup: Setup) {
        let world = setup.await;
        let (good, bad) = some(&world).await;
        let second = world.api.deliveries("event_id=second").await;
        let at = second[0]["created_at"].as_str().unwrap().to_owned();
        let table = [
            (format!("endpoint_id={good}"), vec!["first to good", "second to good", "third to good"]),
            (format!("endpoint_id={bad}"), vec!["second to bad", "third to bad"]),
            ("endpoint_id=4711".into(), vec![]),
            ("event_id=second".into(), vec!["second to bad", "second to good"]),
            ("event_type=order.created".into(), vec!["first to good"]),
            ("status=failed".into(), vec!["second to bad", "third to bad"]),
            ("status=delivered".into(), vec!["first to good", "second to good", "third to good"]),
            ("status=pending".into(), vec![]),
            (format!("since={at}"), vec!["second to bad", "second to good", "third to bad", "third to good"]),
            (format!("until={at}"), vec!["first to good"]),
            (format!("since={at}&status=delivered&event_type=order.paid&endpoint_id={good}&event_id=third"), vec!["third to good"]),
            ("tenant=default&event_id=first".into(), vec!["first to good"]),
            ("tenant=other".into(), vec![]),
        ];
        for (query, wanted) in table {
            assert_eq!(named(&world.api.deliveries(&query).await), wanted, "{query}");
        }
    }

    async fn a_wrong_filter_names_the_parameter(setup: Setup) {
        let world = setup.await;
        let wrong = [
            ("endpoint_id=seven", "endpoint_id"), ("status=lost", "status"), ("since=yesterday", "since"), ("until=2026-01-02", "until"),
            ("limit=0", "limit"), ("limit=501", "limit"), ("limit=many", "limit"), ("cursor=nonsense", "cursor"), ("state=failed", "state"),
            ("status=failed&status=delivered", "status"),
        ];
        for (query, field) in wrong {
            assert_eq!(problem(&world.api.get(&format!("{DELIVERIES}?{query}")).await, 400), [field], "{query}");
        }
        let mut named = problem(&world.api.get(&format!("{DELIVERIES}?limit=0&status=lost&since=x")).await, 400);
        named.sort();
        assert_eq!(named, ["limit", "since", "status"]);
    }

    async fn one_delivery_carries_its_attempts(setup: Setup) {
        let world = setup.await;
        some(&world).await;
        let listed = world.api.deliveries("status=failed").await.remove(0);
        let one = world.api.delivery(listed["id"].as_str().unwrap()).await;
        for field in fields(&listed) {
            assert_eq!(one[field], listed[field], "{field}");
        }
        let attempts = one["attempts"].as_array().unwrap();
        assert_eq!((attempts.len(), &attempts[0]["number"], &attempts[0]["response_status"]), (1, &json!(1), &json!(500)));
        assert!(time(&attempts[0]["at"]) >= time(&one["created_at"]), "{one}");
    }

    async fn a_delivery_that_does_not_exist_is_not_found(setup: Setup) {
        let world = setup.await;
        for id in ["01990000-0000-8000-8000-000000000000", "seven", "%00"] {
            problem(&world.api.get(&format!("{DELIVERIES}/{id}")).await, 404);
        }
    }
}
