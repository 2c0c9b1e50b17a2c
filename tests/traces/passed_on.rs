//! An event's trace reaches its receivers, whether or not spans are made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{GIVEN, carried, event};
use crate::harness::{Gate, LONG, Received, Reply, Stores, World, both_modes, eventually};

const EVENTS: &str = "/api/webhooks/events";

/// There were several attempts, whoever made them, and each carried this.
#[track_caller]
fn assert_all_carried(requests: &[Arc<Received>], event_id: &str, trace: Option<&str>) {
    let attempts = carried(requests, event_id);
    assert!(attempts.len() > 1 && attempts.iter().all(|one| one.as_deref() == trace), "{event_id}: {attempts:?}");
}

both_modes! {
    async fn the_trace_of_an_event_reaches_its_receivers_with_every_attempt(setup: Setup) {
        let world = setup.await;
        world.register_flaky(0.05).await;
        world.register("/other", &json!({})).await;
        for door in world.doors() {
            let id = format!("{door:?}");
            world.enqueue(door, &[event(&id, GIVEN)]).await;
            world.arrived(&id).await;
            world.settled().await;
            let attempts = carried(&world.receiver.requests(), &id);
            assert_eq!(attempts, vec![Some(GIVEN.to_owned()); 3], "{door:?}");
        }
    }

    async fn a_trace_outlives_a_crash(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        let mended = world.register_failing().await;
        let doors = world.doors();
        for door in &doors {
            world.enqueue(*door, &[event(&format!("{door:?}"), GIVEN), event(&format!("{door:?}-none"), "nonsense")]).await;
        }
        world.api.wait_for_deliveries("retrying", doors.len() * 2).await;
        world.crash().await;
        mended.store(true, Ordering::Relaxed);
        world.settled().await;
        let requests = world.receiver.requests();
        for door in doors {
            let id = format!("{door:?}");
            assert_all_carried(&requests, &id, Some(GIVEN));
            assert_all_carried(&requests, &format!("{id}-none"), None);
        }
    }

    async fn the_trace_of_an_event_that_nobody_had_routed_outlives_a_crash(setup: Setup) {
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
        world.register("/", &json!({})).await;
        let gate = Gate::closed();
        world.receiver.script("/", [Reply::status(204).behind(&gate)]);
        for door in world.doors() {
            world.enqueue(door, &[event(&format!("{door:?}"), GIVEN)]).await;
            world.arrived(&format!("{door:?}")).await;
        }
        world.crash().await;
        gate.open();
        world.api.wait_for_deliveries("delivered", world.doors().len()).await;
        for door in world.doors() {
            assert_all_carried(&world.receiver.requests(), &format!("{door:?}"), Some(GIVEN));
        }
    }

    async fn what_is_no_trace_is_ignored_and_refuses_no_event(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let wrong = [
            json!(null),
            json!(7),
            json!(""),
            json!({"a": [1]}),
            json!(format!("{GIVEN}\r\nX-Injected: 1")),
            json!(GIVEN.to_uppercase()),
            json!("x".repeat(100_000)),
        ];
        for door in world.doors() {
            for (number, traceparent) in wrong.iter().enumerate() {
                let id = format!("{door:?}{number}");
                let event = json!({"id": id, "event_type": "a", "data": 1, "traceparent": traceparent});
                world.enqueue(door, &[event.to_string()]).await;
                let request = world.arrived(&id).await;
                assert!(request.headers.get("traceparent").is_none() && request.headers.get("x-injected").is_none(), "{traceparent}");
            }
        }
    }

    async fn the_header_of_a_request_counts_for_events_that_have_no_trace_of_their_own(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let of_header = "00-11111111111111111111111111111111-2222222222222222-00";
        let events = json!([
            {"id": "own", "event_type": "a", "data": 1, "traceparent": GIVEN},
            {"id": "none", "event_type": "a", "data": 1},
            {"id": "wrong", "event_type": "a", "data": 1, "traceparent": "nonsense"},
        ]);
        let send = async |headers: &[&str], events: &Value| {
            let mut request = world.api.client.post(format!("{}{EVENTS}", world.app.url())).header("content-type", "application/json");
            for header in headers {
                request = request.header("traceparent", *header);
            }
            request.body(events.to_string()).send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(send(&[of_header], &events).await, 202);
        let single = |id: &str| json!({"id": id, "event_type": "a", "data": 1});
        assert_eq!(send(&["nonsense"], &single("header-wrong")).await, 202);
        assert_eq!(send(&[of_header, GIVEN], &single("header-twice")).await, 202);
        let wanted = [
            ("own", Some(GIVEN)),
            ("none", Some(of_header)),
            ("wrong", Some(of_header)),
            ("header-wrong", None),
            ("header-twice", None),
        ];
        for (id, trace) in wanted {
            world.arrived(id).await;
            assert_eq!(carried(&world.receiver.requests(), id), [trace.map(str::to_owned)], "{id}");
        }
    }

    async fn the_command_line_gives_an_event_its_trace(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let done = world.events_send(&["--type", "a", "--data", "1", "--id", "e", "--traceparent", GIVEN]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        world.arrived("e").await;
        assert_eq!(carried(&world.receiver.requests(), "e"), [Some(GIVEN.to_owned())]);
    }

    async fn a_test_event_passes_its_trace_on(setup: Setup) {
        let world = setup.await;
        let id = world.register("/", &json!({})).await;
        let event: Value = serde_json::from_str(&event("e", GIVEN)).expect("JSON");
        let tested = world.api.post(&format!("/api/webhooks/{id}/test"), &event).await.expect(200);
        assert_eq!(tested["success"], true);
        assert_eq!(carried(&world.receiver.requests(), "e"), [Some(GIVEN.to_owned())]);
    }
}

/// What an application commits, with that column as SQL spells it.
async fn insert(world: &World, id: &str, traceparent: &str) {
    let statement =
        format!("INSERT INTO webhook_events (id, event_type, data, traceparent) VALUES ('{id}', 'order.created', '1', {traceparent})");
    world.execute(&statement).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_committed_by_sql_passes_its_trace_on() {
    let mut world = World::production().set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2").await;
    let mended = world.register_failing().await;
    insert(&world, "given", &format!("'{GIVEN}'")).await;
    let none = [
        ("null", "NULL"),
        ("wrong", "'nonsense'"),
        ("long", "repeat('x', 1000000)"),
        ("longer", &format!("'{GIVEN}' || repeat('-', 1000)")),
    ];
    for (id, traceparent) in none {
        insert(&world, id, traceparent).await;
    }
    world.api.wait_for_deliveries("retrying", 5).await;
    world.crash().await;
    mended.store(true, Ordering::Relaxed);
    world.settled().await;
    let requests = world.receiver.requests();
    assert_all_carried(&requests, "given", Some(GIVEN));
    for (id, _) in none {
        assert_all_carried(&requests, id, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_a_dead_letter_keeps_its_trace_until_it_is_enqueued_again() {
    let world = World::production().await;
    world.register("/", &json!({})).await;
    // What Postgres refuses is set aside, whatever it is that it refuses.
    world.execute("ALTER TABLE webhook_deliveries ADD CONSTRAINT refused CHECK (event_type <> 'order.created')").await;
    world.push(&[event("e", GIVEN)]).await;
    eventually(LONG, async || {
        let letters = world.api.get("/api/webhooks/dead-letters").await.expect(200);
        (letters["total"] == 1).then_some(())
    })
    .await;
    world.execute("ALTER TABLE webhook_deliveries DROP CONSTRAINT refused").await;
    world.api.post("/api/webhooks/dead-letters/requeue", &json!({})).await;
    world.api.wait_for_deliveries("delivered", 1).await;
    assert_all_carried(&world.receiver.requests(), "e", Some(GIVEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_column_is_there_without_a_default_and_takes_null() {
    let Stores::Production { postgres_url, .. } = Stores::production().await else { unreachable!("production") };
    let connection = crate::harness::postgres::connect(&postgres_url).await.expect("PostgreSQL runs");
    let query = "SELECT is_nullable::text, column_default::text FROM information_schema.columns \
                 WHERE table_name = 'webhook_events' AND column_name = 'traceparent'";
    let row = connection.query_one(query, &[]).await.expect("the column");
    assert_eq!((row.get::<_, String>(0), row.get::<_, Option<String>>(1)), ("YES".to_owned(), None));
}
