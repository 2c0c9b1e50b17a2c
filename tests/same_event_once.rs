//! The same (tenant, id) through any doors, any number of times, is one event: its endpoints get it once.

mod several_workers;

use serde_json::json;

use crate::harness::{Door, Setup, World, both_modes};

fn event(id: &str) -> String {
    json!({"id": id, "event_type": "a", "data": {"id": id}}).to_string()
}

fn times<T: Clone>(count: usize, of: &T) -> Vec<T> {
    vec![of.clone(); count]
}

/// A world whose two endpoints get everything.
async fn with_two_endpoints(setup: Setup) -> World {
    let world = setup.await;
    world.register("/a", &json!({})).await;
    world.register("/b", &json!({})).await;
    world
}

/// Waits until all is done, and checks that these events, and no others, reached both endpoints exactly once.
async fn assert_once(world: &World, ids: &[String]) {
    for id in ids {
        world.arrived(id).await;
    }
    world.settled().await;
    let counts = world.receiver.counts();
    let repeated: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
    for (id, path) in ids.iter().flat_map(|id| ["/a", "/b"].map(|path| (id, path))) {
        assert!(counts.contains_key(&(id.clone(), path.to_owned())), "{id} {path}");
    }
    assert_eq!(counts.len(), 2 * ids.len());
    let rows = (world.rows("webhook_events").await, world.rows("webhook_deliveries").await);
    assert_eq!((usize::try_from(rows.0).expect("few enough"), usize::try_from(rows.1).expect("few enough")), (ids.len(), 2 * ids.len()));
}

both_modes! {
    async fn ten_times_at_once_through_each_door(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        let mut ids = Vec::new();
        for door in world.doors() {
            let id = format!("{door:?}");
            world.enqueue(door, &times(10, &event(&id))).await;
            ids.push(id);
        }
        assert_once(&world, &ids).await;
    }

    async fn ten_times_one_after_the_other_through_each_door(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        let mut ids = Vec::new();
        for door in world.doors() {
            let id = format!("{door:?}");
            for _ in 0..10 {
                world.enqueue(door, &[event(&id)]).await;
                world.arrived(&id).await;
            }
            ids.push(id);
        }
        assert_once(&world, &ids).await;
    }

    async fn once_more_through_every_door_when_it_was_delivered_long_ago(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        let ids: Vec<_> = world.doors().iter().map(|door| format!("{door:?}")).collect();
        for (door, id) in world.doors().into_iter().zip(&ids) {
            world.enqueue(door, &[event(id)]).await;
        }
        assert_once(&world, &ids).await;
        for (door, id) in world.doors().into_iter().flat_map(|door| ids.iter().map(move |id| (door, id))) {
            world.enqueue(door, &[event(id)]).await;
        }
        assert_once(&world, &ids).await;
    }

    async fn again_after_a_restart(setup: Setup) {
        let mut world = with_two_endpoints(setup).await;
        let ids: Vec<_> = (0..20).map(|number| format!("e{number}")).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id)).collect();
        world.enqueue(Door::Http, &events).await;
        assert_once(&world, &ids).await;
        world.start_again().await;
        for door in world.doors() {
            world.enqueue(door, &events).await;
        }
        assert_once(&world, &ids).await;
    }

    async fn in_twenty_requests_at_the_same_time(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        let ids: Vec<_> = (0..10).map(|number| format!("e{number}")).collect();
        for id in &ids {
            let events = [event(id)];
            futures_util::future::join_all((0..20).map(|_| world.enqueue(Door::Http, &events))).await;
        }
        assert_once(&world, &ids).await;
    }

    async fn from_the_command_line_twice(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        for _ in 0..2 {
            let done = world.events_send(&["--id", "e", "--type", "a", "--data", "1"]).await;
            assert_eq!((done.code, done.stdout.trim()), (Some(0), "e"), "{done:?}");
        }
        world.enqueue(world.doors()[0], &[event("e")]).await;
        assert_once(&world, &["e".to_owned()]).await;
    }

    async fn while_its_delivery_is_being_retried(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"retry_delay": 0.5})).await;
        for door in world.doors() {
            let id = format!("{door:?}");
            world.receiver.statuses("/a", [500, 204]);
            world.enqueue(door, &[event(&id)]).await;
            world.arrived(&id).await;
            for again in world.doors() {
                world.enqueue(again, &times(3, &event(&id))).await;
            }
            world.settled().await;
            let requests = world.receiver.requests();
            let attempts: Vec<_> = requests.iter().filter(|request| request.event_id() == id).map(|request| request.attempt()).collect();
            assert_eq!(attempts, [1, 2], "{id}");
        }
    }

    async fn what_came_first_counts(setup: Setup) {
        let world = with_two_endpoints(setup).await;
        world.enqueue(Door::Http, &[event("e")]).await;
        world.arrived("e").await;
        for door in world.doors() {
            world.enqueue(door, &[json!({"id": "e", "event_type": "b", "data": "other"}).to_string()]).await;
        }
        assert_once(&world, &["e".to_owned()]).await;
        assert!(world.receiver.requests().iter().all(|request| request.json()["data"] == json!({"id": "e"})));
    }

    async fn the_same_id_in_another_tenant_is_another_event(setup: Setup) {
        let world = setup.await;
        for tenant in ["default", "acme", "other"] {
            world.register(&format!("/{tenant}"), &json!({"tenant": tenant})).await;
        }
        for door in world.doors() {
            let id = format!("{door:?}");
            let of = |tenant: &str| json!({"id": id, "event_type": "a", "data": tenant, "tenant": tenant}).to_string();
            world.enqueue(door, &[of("default"), of("acme"), of("acme"), of("other"), of("default")]).await;
            world.arrived(&id).await;
        }
        world.settled().await;
        let requests = world.receiver.requests();
        assert_eq!(requests.len(), 3 * world.doors().len());
        for request in requests {
            assert_eq!(request.path, format!("/{}", request.json()["data"].as_str().expect("text")));
        }
    }
}
