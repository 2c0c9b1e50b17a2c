//! The spans of an event's way.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::{GIVEN, PARENT, TRACE, carried, event};
use crate::harness::{Collector, Door, LONG, Reply, Span, World, both_modes, eventually};

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// Acceptance, routing, and two attempts, all in their places.
fn assert_whole(spans: &[Span], (trace, parent): (&str, &str), (door, kind): (&str, i32)) {
    let [accept] = named(spans, "accept")[..] else { panic!("{spans:#?}") };
    let [route] = named(spans, "route")[..] else { panic!("{spans:#?}") };
    let attempts = named(spans, "POST");
    assert_eq!(spans.len(), 2 + attempts.len(), "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace_id == trace && span.flags == 1 && span.end >= span.start), "{spans:#?}");
    assert_eq!((accept.parent.as_str(), accept.kind, accept.attribute("posthaste.door")), (parent, kind, door));
    assert_eq!((&route.parent, route.kind, route.attribute("posthaste.endpoints")), (&accept.span_id, INTERNAL, "1"));
    assert!(attempts.iter().all(|attempt| attempt.parent == route.span_id && attempt.kind == CLIENT), "{attempts:#?}");
    assert!(accept.start <= route.start && route.start <= attempts[0].start, "{spans:#?}");
    for span in spans {
        assert_eq!((span.attribute("posthaste.event.type"), span.attribute("posthaste.tenant")), ("order.created", "default"));
    }
}

both_modes! {
    async fn a_trace_goes_from_acceptance_over_routing_to_every_attempt(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).await;
        world.register_flaky(0.05).await;
        for door in world.doors() {
            let id = format!("{door:?}");
            world.enqueue(door, &[event(&id, "nonsense")]).await;
            let spans = collector.spans_of(&id, 4).await;
            let told = if door == Door::Http { ("http", SERVER) } else { ("list", CONSUMER) };
            assert_whole(&spans, (&spans[0].trace_id, ""), told);
            let attempts: Vec<_> = named(&spans, "POST").iter().map(|span| Some(span.traceparent())).collect();
            assert_eq!(carried(&world.receiver.requests(), &id), attempts, "a receiver's spans are below the attempt's");
        }
    }

    async fn an_attempt_says_what_it_was_and_what_came_of_it(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).await;
        let path = "/hooks?token=hunter2";
        world.receiver.script(path, [Reply::status(503), Reply::status(204)]);
        let endpoint = world.register(path, &json!({"name": "shop", "retry_delay": 0.05})).await;
        world.api.send(&json!({"id": "e", "event_type": "order.created", "data": 1})).await;
        let spans = collector.spans_of("e", 4).await;
        let attempts = named(&spans, "POST");
        let delivery = &world.api.deliveries("event_id=e").await[0];
        let port = world.receiver.port();
        for (attempt, number) in attempts.iter().zip(1..) {
            let wanted = [
                ("posthaste.delivery.id", delivery["id"].as_str().expect("an id").to_owned()),
                ("posthaste.endpoint.id", endpoint.to_string()),
                ("posthaste.endpoint.name", "shop".to_owned()),
                ("posthaste.attempt", number.to_string()),
                ("http.request.method", "POST".to_owned()),
                ("server.address", "127.0.0.1".to_owned()),
                ("server.port", port.to_string()),
                ("url.full", format!("http://127.0.0.1:{port}/hooks")),
            ];
            for (name, value) in wanted {
                assert_eq!(attempt.attribute(name), value, "{name}");
            }
        }
        let outcome = |span: &Span| ["http.response.status_code", "error.type", "posthaste.outcome", "http.request.resend_count"].map(|name| span.attribute(name).to_owned());
        assert_eq!(outcome(attempts[0]), ["503", "503", "5xx", ""]);
        assert_eq!(outcome(attempts[1]), ["204", "", "2xx", "1"]);
        assert_eq!((attempts[0].error.as_deref(), attempts[1].error.as_deref()), (Some("the receiver answered 503"), None));
        assert_eq!((attempts[0].resource["service.name"].as_str(), attempts[0].resource["service.version"].as_str()), ("posthaste", env!("CARGO_PKG_VERSION")));
    }

    async fn an_attempt_without_an_answer_says_why(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).await;
        world.api.register("http://127.0.0.1:1/", &json!({"max_retries": 1})).await;
        world.api.send_id("e").await;
        let spans = collector.spans_of("e", 3).await;
        let [attempt] = named(&spans, "POST")[..] else { panic!("{spans:#?}") };
        assert_eq!((attempt.attribute("error.type"), attempt.attribute("http.response.status_code")), ("connection refused", ""));
        assert!(attempt.error.as_ref().is_some_and(|error| error.starts_with("connection refused: ")), "{attempt:?}");
    }

    async fn an_event_goes_on_with_the_trace_that_it_brings(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).await;
        world.register_flaky(0.05).await;
        for door in world.doors() {
            let id = format!("{door:?}");
            world.enqueue(door, &[event(&id, GIVEN)]).await;
            let told = if door == Door::Http { ("http", SERVER) } else { ("list", CONSUMER) };
            assert_whole(&collector.spans_of(&id, 4).await, (TRACE, PARENT), told);
        }
    }

    async fn an_attempt_of_another_process_is_in_its_place(setup: Setup) {
        let collector = Collector::start().await;
        let setup = setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2");
        let mut world = collector.of(setup).await;
        let mended = world.register_failing().await;
        for door in world.doors() {
            world.enqueue(door, &[event(&format!("{door:?}"), "nonsense")]).await;
        }
        for door in world.doors() {
            collector.spans_of(&format!("{door:?}"), 3).await;
        }
        world.api.wait_for_deliveries("retrying", world.doors().len()).await;
        world.crash().await;
        mended.store(true, Ordering::Relaxed);
        for door in world.doors() {
            let id = format!("{door:?}");
            let delivered = async || collector.spans().into_iter().any(|span| span.attribute("posthaste.event.id") == id && span.attribute("posthaste.outcome") == "2xx");
            eventually(LONG, async || delivered().await.then_some(())).await;
            let spans = collector.spans_of(&id, 4).await;
            let told = if door == Door::Http { ("http", SERVER) } else { ("list", CONSUMER) };
            assert_whole(&spans, (&spans[0].trace_id, ""), told);
            let made_by = named(&spans, "POST").into_iter().map(|span| span.resource["service.instance.id"].as_str());
            assert_eq!(made_by.collect::<std::collections::BTreeSet<_>>().len(), 2, "two processes made them");
        }
    }

    async fn an_event_that_was_there_is_told_of_and_not_routed_again(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).await;
        world.register("/", &json!({})).await;
        for _ in 0..2 {
            world.api.send_id("e").await;
            world.api.wait_for_deliveries("delivered", 1).await;
        }
        let spans = collector.spans_of("e", 4).await;
        let new: Vec<_> = named(&spans, "accept").into_iter().map(|span| span.attribute("posthaste.new")).collect();
        assert_eq!((new, named(&spans, "route").len(), named(&spans, "POST").len()), (vec!["true", "false"], 1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_an_event_committed_by_sql_begins_with_its_row() {
    let collector = Collector::start().await;
    let world = collector.of(World::production()).await;
    world.register_flaky(0.05).await;
    for (id, traceparent, place) in [("none", "NULL", None), ("given", &*format!("'{GIVEN}'"), Some((TRACE, PARENT)))] {
        let columns = "(id, event_type, data, traceparent)";
        world.execute(&format!("INSERT INTO webhook_events {columns} VALUES ('{id}', 'order.created', '1', {traceparent})")).await;
        let spans = collector.spans_of(id, 4).await;
        assert_whole(&spans, place.unwrap_or((&spans[0].trace_id, "")), ("records", CONSUMER));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_begins_in_one_process_goes_on_in_another() {
    let collector = Collector::start().await;
    let world = collector.of(World::production().role("api")).await;
    world.register_flaky(0.05).await;
    let _worker = world.another("worker").await;
    world.enqueue(Door::Http, &[event("e", "nonsense")]).await;
    let spans = collector.spans_of("e", 4).await;
    assert_whole(&spans, (&spans[0].trace_id, ""), ("http", SERVER));
}
