//! What the collector gets, and what becomes of deliveries when it is not there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Collector, Launch, Reply, Setup, World, both_modes, places};

fn events(count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1})).collect::<Vec<_>>().into()
}

/// Delivers some events, and ends the program in order. Answers how long the end took.
async fn deliver_and_stop(setup: Setup) -> (World, Duration) {
    let mut world = setup.await;
    world.register("/", &json!({})).await;
    world.api.send(&events(50)).await;
    world.api.wait_for_deliveries("delivered", 50).await;
    let asked = Instant::now();
    world.app.terminate();
    assert_eq!(world.app.exited().await.code(), Some(0), "{}", world.app.stderr());
    (world, asked.elapsed())
}

both_modes! {
    async fn what_is_not_exported_yet_is_exported_when_the_program_ends(setup: Setup) {
        let collector = Collector::start().await;
        deliver_and_stop(collector.of(setup)).await;
        let spans = collector.spans();
        let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
        assert_eq!((count("accept"), count("route"), count("POST")), (50, 50, 50));
    }

    async fn a_collector_that_is_away_holds_up_nothing(setup: Setup) {
        let nobody = format!("http://127.0.0.1:{}", places::free_port());
        let (world, took) = deliver_and_stop(setup.set("POSTHASTE__TRACING__OTLP_ENDPOINT", &nobody)).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
        let said = world.app.stderr();
        assert!(said.contains("spans could not be exported, and are lost") && said.contains(&nobody), "{said}");
    }

    async fn a_collector_that_hangs_holds_up_nothing(setup: Setup) {
        let collector = Collector::start().await;
        collector.0.script("/v1/traces", [Reply::hang()]);
        let (world, took) = deliver_and_stop(collector.of(setup)).await;
        // Two seconds for the last spans, on a machine that may be busy.
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(world.app.stderr().contains("the last spans could not be exported in time"), "{}", world.app.stderr());
    }

    async fn what_a_collector_does_not_take_now_is_sent_again(setup: Setup) {
        let collector = Collector::start().await;
        collector.0.script("/v1/traces", [Reply::status(503), Reply::drop_connection(), Reply::status(200)]);
        let world = collector.of(setup).await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        collector.0.wait_for(3).await;
        assert_eq!(world.api.metric("webhook_spans_lost_total").await, Some(0.0));
        let bodies: Vec<_> = collector.0.requests().iter().map(|request| request.body.clone()).collect();
        assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
    }

    async fn what_a_collector_refuses_is_lost_and_told(setup: Setup) {
        let collector = Collector::start().await;
        collector.0.script("/v1/traces", [Reply::status(401)]);
        let world = collector.of(setup).await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        world.app.logged(&["spans could not be exported, and are lost", "it answered 401"]).await;
        // The acceptance, the routing and the attempt.
        world.api.metric_becomes("webhook_spans_lost_total", 3.0).await;
        world.api.wait_for_deliveries("delivered", 1).await;
    }

    async fn requests_carry_what_the_settings_say(setup: Setup) {
        let collector = Collector::start().await;
        let setup = collector.of(setup).set("POSTHASTE__TRACING__SERVICE_NAME", "hooks-eu");
        let world = setup.set("POSTHASTE__TRACING__OTLP_HEADERS", "authorization=Bearer hunter2=, x-scope = eu").await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        let spans = collector.spans_of("e", 3).await;
        assert!(spans.iter().all(|span| span.resource["service.name"] == "hooks-eu"));
        let request = &collector.0.requests()[0];
        assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", "application/x-protobuf"));
        assert_eq!((request.header("authorization"), request.header("x-scope")), ("Bearer hunter2=", "eu"));
        assert!(!world.app.stderr().contains("hunter2"), "{}", world.app.stderr());
    }

    async fn without_a_collector_there_are_no_spans_and_no_traces(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        assert!(world.arrived("e").await.headers.get("traceparent").is_none());
        assert!(!world.app.stderr().contains("spans"), "{}", world.app.stderr());
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_named_and_no_secret_is() {
    let launch = Launch::new(["dev"])
        .set("POSTHASTE__TRACING__OTLP_ENDPOINT", "127.0.0.1:4317")
        .set("POSTHASTE__TRACING__OTLP_HEADERS", "hunter2")
        .set("POSTHASTE__TRACING__SAMPLE", "1.5")
        .set("POSTHASTE__TRACING__SERVICE_NAME", "");
    let finished = launch.finish().await;
    assert_eq!(finished.code, Some(64));
    for key in ["otlp_endpoint", "otlp_headers", "sample", "service_name"] {
        assert!(finished.stderr.contains(&format!("  tracing.{key}: ")), "{key} in\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
    let shown = Launch::new(["config"]).set("POSTHASTE__TRACING__OTLP_HEADERS", "authorization=hunter2").finish().await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("tracing.otlp_headers = \"(hidden)\"") && !shown.stdout.contains("hunter2"), "{}", shown.stdout);
}
