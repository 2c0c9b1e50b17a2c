//! An endpoint gets an event when both have the same tenant, it is active, and one of its event types matches.

mod in_force;

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{World, both_modes};

const TYPES: [&str; 12] = [
    "order",
    "order.created",
    "order.item.added",
    "order.created.late",
    "orders.created",
    "Order.created",
    "reorder.created",
    "user.created",
    "a/b",
    "a.b",
    "a_b-C/1",
    "o",
];

/// Endpoints' event types, and which of [`TYPES`] they match.
const TABLE: [(&[&str], &[&str]); 12] = [
    (&["*"], &TYPES),
    (&["order.created"], &["order.created"]),
    (&["order"], &["order"]),
    (&["order.*"], &["order.created", "order.item.added", "order.created.late"]),
    (&["order.item.*"], &["order.item.added"]),
    (&["order.created.*"], &["order.created.late"]),
    (&["orders.*"], &["orders.created"]),
    (&["user.created", "a/b"], &["user.created", "a/b"]),
    (&["order", "order.*"], &["order", "order.created", "order.item.added", "order.created.late"]),
    (&["order.created", "order.*", "*"], &TYPES),
    (&["a.*"], &["a.b"]),
    (&["nothing.of.these", "created"], &[]),
];

fn event(id: &str, event_type: &str) -> String {
    json!({"id": id, "event_type": event_type, "data": 1}).to_string()
}

/// What came: the path, and the event's id and type.
fn arrivals(world: &World) -> BTreeSet<(String, String, String)> {
    let requests = world.receiver.requests();
    let arrivals: BTreeSet<_> = requests
        .iter()
        .map(|request| (request.path.clone(), request.event_id().to_owned(), request.header("x-webhook-event").to_owned()))
        .collect();
    assert_eq!(arrivals.len(), requests.len(), "each endpoint gets each event once, however many of its patterns match");
    arrivals
}

both_modes! {
    async fn event_types_match_by_string_by_prefix_and_by_star(setup: Setup) {
        let world = setup.await;
        for (number, (patterns, _)) in TABLE.iter().enumerate() {
            world.register(&format!("/{number}"), &json!({"event_types": patterns})).await;
        }
        let mut wanted = BTreeSet::new();
        for door in world.doors() {
            let events: Vec<_> = TYPES.iter().enumerate().map(|(number, name)| event(&format!("{door:?}{number}"), name)).collect();
            world.enqueue(door, &events).await;
            for (number, (_, matched)) in TABLE.iter().enumerate() {
                let ids = TYPES.iter().enumerate().filter(|(_, name)| matched.contains(name));
                wanted.extend(ids.map(|(id, name)| (format!("/{number}"), format!("{door:?}{id}"), (*name).to_owned())));
            }
        }
        world.receiver.wait_for(wanted.len()).await;
        world.settled().await;
        assert_eq!(arrivals(&world), wanted);
    }

    async fn an_event_reaches_the_endpoints_of_its_own_tenant_alone(setup: Setup) {
        let world = setup.await;
        for tenant in ["default", "acme", "acme-2", "Acme"] {
            world.register(&format!("/{tenant}"), &json!({"tenant": tenant})).await;
        }
        world.register("/none", &json!({})).await;
        let mut wanted = BTreeSet::new();
        for door in world.doors() {
            for (number, tenant) in ["default", "acme", "acme-2", "Acme", "unknown"].iter().enumerate() {
                let id = format!("{door:?}{number}");
                world.enqueue(door, &[json!({"id": id, "event_type": "a", "data": 1, "tenant": tenant}).to_string()]).await;
                wanted.insert((format!("/{tenant}"), id, "a".to_owned()));
            }
            let without = format!("{door:?}-without");
            world.enqueue(door, &[event(&without, "a")]).await;
            wanted.extend(["/default", "/none"].map(|path| (path.to_owned(), without.clone(), "a".to_owned())));
            wanted.insert(("/none".to_owned(), format!("{door:?}0"), "a".to_owned()));
        }
        wanted.retain(|(path, _, _)| path != "/unknown");
        world.receiver.wait_for(wanted.len()).await;
        world.settled().await;
        assert_eq!(arrivals(&world), wanted);
    }

    async fn an_event_that_nothing_matches_is_kept_and_causes_no_delivery(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"event_types": ["user.*"]})).await;
        for door in world.doors() {
            world.enqueue(door, &[event(&format!("{door:?}"), "order.created"), event(&format!("{door:?}-last"), "user.created")]).await;
            world.arrived(&format!("{door:?}-last")).await;
        }
        world.settled().await;
        let doors = i64::try_from(world.doors().len()).expect("few enough");
        assert_eq!((world.rows("webhook_events").await, world.rows("webhook_deliveries").await), (2 * doors, doors));
    }

    async fn other_patterns_are_refused(setup: Setup) {
        let world = setup.await;
        for pattern in ["", "order*", ".*", "*.created", "a.*.b", "order.**", "a b", "é", "**"] {
            let body = json!({"name": "n", "url": world.receiver.url("/a"), "event_types": ["fine", pattern]});
            let problem = world.api.post("/api/webhooks/endpoints", &body).await.expect(400);
            assert_eq!(problem["errors"][0]["field"], "event_types", "{pattern}");
        }
        let none = json!({"name": "n", "url": world.receiver.url("/a"), "event_types": []});
        world.api.post("/api/webhooks/endpoints", &none).await.expect(400);
    }
}
