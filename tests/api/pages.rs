//! Lists come in pages that hold together while rows are added.

use serde_json::{Value, json};

use super::problem;
use crate::harness::{World, both_modes};

/// All pages of a list, following its cursors; `between` runs after each page.
async fn pages(world: &World, path: &str, mut between: impl AsyncFnMut()) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.api.get(&format!("{path}{cursor}")).await.expect(200);
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
        between().await;
    }
}

fn events(from: usize, count: usize) -> Value {
    (from..from + count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect::<Vec<_>>().into()
}

async fn deliver(world: &World, from: usize, count: usize) {
    let delivered = r#"webhook_events_total{event_type="a",status="delivered"}"#;
    world.api.send(&events(from, count)).await;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    world.api.metric_becomes(delivered, (from + count) as f64).await;
}

fn ids(pages: &[Vec<Value>]) -> Vec<&str> {
    pages.iter().flatten().map(|item| item["id"].as_str().unwrap()).collect()
}

both_modes! {
    async fn a_long_list_of_deliveries_has_each_of_them_once_newest_first(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({"in_flight": 100})).await;
        deliver(&world, 0, 800).await;
        deliver(&world, 800, 300).await;
        for (limit, sizes) in [(500, vec![500, 500, 100]), (300, vec![300, 300, 300, 200])] {
            let path = format!("/api/webhooks/deliveries?limit={limit}");
            let mut added = 0;
            // What is added meanwhile is newer, and so on none of the pages that follow.
            let found = pages(&world, &path, async || {
                added += 1;
                world.api.send(&json!({"event_type": "b", "data": 1})).await;
            })
            .await;
            assert_eq!(found.iter().map(Vec::len).take(sizes.len() - 1).collect::<Vec<_>>(), sizes[..sizes.len() - 1]);
            let listed = ids(&found);
            assert!(listed.windows(2).all(|pair| pair[0] > pair[1]), "newest first, none twice");
            let own = found.iter().flatten().filter(|item| item["event_type"] == "a").count();
            assert_eq!((own, added), (1100, sizes.len() - 1));
        }
        let filtered = pages(&world, "/api/webhooks/deliveries?limit=100&event_type=a&status=delivered", async || {}).await;
        assert_eq!(filtered.iter().map(Vec::len).sum::<usize>(), 1100);
        assert_eq!(world.api.get("/api/webhooks/deliveries").await.expect(200)["items"].as_array().unwrap().len(), 50);
    }

    async fn the_list_of_endpoints_has_pages_too(setup: Setup) {
        let world = setup.await;
        let mut registered = Vec::new();
        for number in 0..55 {
            registered.push(world.register(&format!("/{number}"), &json!({"event_types": ["never"]})).await);
        }
        registered.reverse();
        for (limit, count) in [("limit=7", 8), ("limit=55", 1), ("limit=54", 2), ("tenant=default", 2)] {
            let found = pages(&world, &format!("/api/webhooks/endpoints?{limit}"), async || {}).await;
            assert_eq!(found.len(), count, "{limit}");
            assert_eq!(found.iter().flatten().map(|item| item["id"].as_i64().unwrap()).collect::<Vec<_>>(), registered, "{limit}");
        }
        assert_eq!(problem(&world.api.get("/api/webhooks/endpoints?limit=501").await, 400), ["limit"]);
        let cursor = world.api.get("/api/webhooks/endpoints?limit=1").await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
        assert_eq!(problem(&world.api.get(&format!("/api/webhooks/deliveries?cursor={cursor}")).await, 400), ["cursor"]);
    }
}
