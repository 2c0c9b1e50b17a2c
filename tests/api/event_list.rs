//! Events as they were accepted: the list with its filters.

use serde_json::{Value, json};

use super::{fields, problem};
use crate::harness::{World, both_modes};

const EVENTS: &str = "/api/webhooks/events";

async fn list(world: &World, query: &str) -> Vec<Value> {
    world.api.get(&format!("{EVENTS}?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn some(world: &World) {
    for (id, event_type, source, tenant) in
        [("first", "order.created", "shop", "default"), ("second", "order.paid", "", "default"), ("third", "order.paid", "shop", "acme")]
    {
        world
            .api
            .send(&json!({"id": id, "event_type": event_type, "data": 1, "source": source, "tenant": tenant, "timestamp": 12.5}))
            .await;
    }
}

both_modes! {
    async fn each_filter_of_events_shows_what_matches_and_they_add_up(setup: Setup) {
        let world = setup.await;
        some(&world).await;
        let second = list(&world, "event_type=order.paid&source=").await;
        let at = second[0]["created_at"].as_str().unwrap().to_owned();
        let table = [
            (String::new(), vec!["third", "second", "first"]),
            ("tenant=acme".into(), vec!["third"]),
            ("tenant=default".into(), vec!["second", "first"]),
            ("tenant=nobody".into(), vec![]),
            ("event_type=order.paid".into(), vec!["third", "second"]),
            ("event_type=order".into(), vec![]),
            ("source=shop".into(), vec!["third", "first"]),
            (format!("since={at}"), vec!["third", "second"]),
            (format!("until={at}"), vec!["first"]),
            (format!("since={at}&source=shop&event_type=order.paid&tenant=acme"), vec!["third"]),
        ];
        for (query, wanted) in table {
            let ids: Vec<_> = list(&world, &query).await.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids, wanted, "{query}");
        }
        let mut names = fields(&second[0]);
        names.sort_unstable();
        assert_eq!(names, ["created_at", "event_type", "id", "routed_at", "set_aside", "source", "tenant", "timestamp", "version"]);
        assert_eq!((&second[0]["timestamp"], &second[0]["version"]), (&json!(12.5), &json!("1.0")));
    }

    async fn a_wrong_filter_of_events_names_the_parameter(setup: Setup) {
        let world = setup.await;
        some(&world).await;
        let deliveries = world.api.get("/api/webhooks/endpoints?limit=1").await.expect(200);
        assert_eq!(deliveries["next_cursor"], Value::Null);
        for (query, field) in [
            ("since=yesterday", "since"), ("until=2026-01-02", "until"), ("limit=0", "limit"), ("limit=501", "limit"), ("cursor=nonsense", "cursor"),
            ("status=failed", "status"), ("source=a&source=b", "source"), ("cursor=ZGVsaXZlcmllczoxOmRlZmF1bHQvYQ", "cursor"),
        ] {
            assert_eq!(problem(&world.api.get(&format!("{EVENTS}?{query}")).await, 400), [field], "{query}");
        }
        let cursor = world.api.get(&format!("{EVENTS}?limit=1")).await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
        for other in ["deliveries", "endpoints"] {
            assert_eq!(problem(&world.api.get(&format!("/api/webhooks/{other}?cursor={cursor}")).await, 400), ["cursor"]);
        }
        let next = list(&world, &format!("limit=1&cursor={cursor}")).await;
        assert_eq!(next[0]["id"], "second");
    }
}
