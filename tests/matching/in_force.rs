//! An endpoint registered, changed or removed through the API is in force for what is enqueued after the answer: in
//! the process that answered at once, in every other within one second.

use std::time::Duration;

use serde_json::{Value, json};

use super::event;
use crate::harness::{Door, Process, Stores, World, both_modes, world};

const WITHIN: Duration = Duration::from_secs(1);

/// Enqueues an event through every door, and tells which paths it reached. The endpoint `/all` gets everything.
async fn reached(world: &World, id: &str, event_type: &str) -> Vec<String> {
    for door in world.doors() {
        world.enqueue(door, &[event(&format!("{id}-{door:?}"), event_type)]).await;
    }
    let mut paths = Vec::new();
    for door in world.doors() {
        world.arrived(&format!("{id}-{door:?}")).await;
    }
    world.settled().await;
    for request in world.receiver.requests() {
        if request.event_id().starts_with(&format!("{id}-")) && request.path != "/all" {
            paths.push(request.path.clone());
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// What reaches the receiver after a change of endpoint `id`.
async fn after_change(world: &World, id: i64, change: Value, event_id: &str) -> Vec<String> {
    world.api.patch(&format!("/api/webhooks/endpoints/{id}"), &change).await.expect(200);
    reached(world, event_id, "order.created").await
}

both_modes! {
    async fn a_registered_endpoint_is_in_force_at_once(setup: Setup) {
        let world = setup.await;
        for number in 0..20 {
            let path = format!("/{number}");
            let event_type = format!("type.{number}");
            world.register(&path, &json!({"event_types": [event_type]})).await;
            for door in world.doors() {
                let id = format!("{number}-{door:?}");
                world.enqueue(door, &[event(&id, &event_type)]).await;
                assert_eq!(world.arrived(&id).await.path, path);
            }
        }
    }

    async fn a_changed_endpoint_is_in_force_at_once(setup: Setup) {
        let world = setup.await;
        world.register("/all", &json!({})).await;
        let id = world.register("/a", &json!({"event_types": ["order.*"]})).await;
        assert_eq!(reached(&world, "1", "order.created").await, ["/a"]);
        assert!(after_change(&world, id, json!({"event_types": ["user.*"]}), "2").await.is_empty());
        assert_eq!(after_change(&world, id, json!({"event_types": ["user.*", "order.created"]}), "3").await, ["/a"]);
        assert!(after_change(&world, id, json!({"is_active": false}), "4").await.is_empty());
        assert_eq!(after_change(&world, id, json!({"is_active": true}), "5").await, ["/a"]);
        assert_eq!(after_change(&world, id, json!({"url": world.receiver.url("/b")}), "6").await, ["/b"]);
        after_change(&world, id, json!({"headers": {"X-Own": "new"}}), "7").await;
        let own: Vec<_> = world.receiver.requests_to("/b").iter().map(|request| request.header("x-own").to_owned()).collect();
        assert!(own.ends_with(&["new".to_owned()]), "{own:?}");
    }

    async fn a_removed_endpoint_gets_nothing_more_at_once(setup: Setup) {
        let world = setup.await;
        world.register("/all", &json!({})).await;
        for number in 0..5 {
            let id = world.register("/a", &json!({})).await;
            assert_eq!(reached(&world, &format!("with{number}"), "a").await, ["/a"]);
            assert_eq!(world.api.delete(&format!("/api/webhooks/endpoints/{id}")).await.status, 204);
            assert!(reached(&world, &format!("without{number}"), "a").await.is_empty());
        }
    }

    async fn an_endpoint_registered_as_inactive_gets_nothing(setup: Setup) {
        let world = setup.await;
        world.register("/all", &json!({})).await;
        world.register("/a", &json!({"is_active": false})).await;
        assert!(reached(&world, "e", "a").await.is_empty());
    }
}

/// A world whose requests are all made by another process than the one that answers the API.
async fn with_a_worker_elsewhere() -> (World, Process) {
    let stores = Stores::production().await;
    let worker = world::launch(&stores, "worker", &[]).start().await;
    let mut world = World::production().over(stores).await;
    world.app = world.another("api").await;
    world.api = world.app.api();
    world.register("/all", &json!({})).await;
    tokio::time::sleep(WITHIN).await;
    (world, worker)
}

/// Sees what the worker makes of an event that is enqueued one second after the answer: the promise is a time.
async fn reached_a_second_later(world: &World, id: &str) -> Vec<String> {
    tokio::time::sleep(WITHIN).await;
    reached(world, id, "order.created").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_a_change_and_a_removal_are_in_force_in_another_process_within_a_second() {
    let (world, _worker) = with_a_worker_elsewhere().await;
    assert!(reached(&world, "0", "order.created").await.is_empty());
    let id = world.register("/a", &json!({"event_types": ["order.*"]})).await;
    let endpoint = format!("/api/webhooks/endpoints/{id}");
    assert_eq!(reached_a_second_later(&world, "1").await, ["/a"]);
    let changes = [
        (json!({"event_types": ["user.*"]}), &[][..]),
        (json!({"event_types": ["order.created"]}), &["/a"]),
        (json!({"is_active": false}), &[]),
        (json!({"is_active": true, "url": world.receiver.url("/b")}), &["/b"]),
    ];
    for (number, (change, wanted)) in changes.into_iter().enumerate() {
        world.api.patch(&endpoint, &change).await.expect(200);
        assert_eq!(reached_a_second_later(&world, &format!("change{number}")).await, wanted, "{change}");
    }
    assert_eq!(world.api.delete(&endpoint).await.status, 204);
    assert!(reached_a_second_later(&world, "removed").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_elsewhere_follows_changes_while_events_flow() {
    let (world, _worker) = with_a_worker_elsewhere().await;
    for round in 0..5 {
        let id = world.register("/a", &json!({})).await;
        tokio::time::sleep(WITHIN).await;
        let events: Vec<_> = (0..50).map(|number| event(&format!("{round}-{number}"), "a")).collect();
        world.enqueue(Door::List, &events).await;
        world.receiver.wait_for(100 * (round + 1)).await;
        world.api.delete(&format!("/api/webhooks/endpoints/{id}")).await;
    }
    world.settled().await;
    assert_eq!((world.receiver.requests_to("/a").len(), world.receiver.requests_to("/all").len()), (250, 250));
}
