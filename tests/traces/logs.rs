//! Log lines about an attempt name its delivery and its trace.

use serde_json::{Value, json};

use super::{GIVEN, TRACE, event};
use crate::harness::{Collector, Door, LONG, World, both_modes, eventually};

const ENDED: &str = "an attempt ended";

/// The lines about attempts of that event, as objects, once there are so many.
async fn lines(world: &World, event_id: &str, count: usize) -> Vec<Value> {
    eventually(LONG, async || {
        let text = world.app.stderr();
        let all = text.lines().filter(|line| line.contains(ENDED)).filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own: Vec<_> = all.filter(|line| line["event_id"] == event_id).collect();
        (own.len() >= count).then_some(own)
    })
    .await
}

both_modes! {
    async fn json_lines_carry_the_delivery_and_the_trace(setup: Setup) {
        let world = setup.set("POSTHASTE__LOG__FORMAT", "json").set("POSTHASTE__LOG__LEVEL", "info,posthaste=debug").await;
        world.register_flaky(0.05).await;
        world.enqueue(Door::Http, &[event("given", GIVEN), event("none", "nonsense")]).await;
        let delivery = async |id: &str| world.api.ended(id).await["id"].clone();
        let (given, none) = (delivery("given").await, delivery("none").await);
        for (line, number) in lines(&world, "given", 2).await.iter().zip(1..) {
            assert_eq!((&line["delivery_id"], &line["trace_id"], &line["number"]), (&given, &json!(TRACE), &json!(number)));
        }
        for line in lines(&world, "none", 2).await {
            assert_eq!((&line["delivery_id"], &line["trace_id"]), (&none, &Value::Null));
        }
    }

    async fn with_a_collector_every_line_about_an_attempt_has_a_trace(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).set("POSTHASTE__LOG__FORMAT", "json").set("POSTHASTE__LOG__LEVEL", "info,posthaste=debug").await;
        world.register("/", &json!({})).await;
        world.api.send_id("e").await;
        let spans = collector.spans_of("e", 3).await;
        assert_eq!(lines(&world, "e", 1).await[0]["trace_id"], *spans[0].trace_id);
    }

    async fn lines_of_text_carry_them_too(setup: Setup) {
        let world = setup.set("POSTHASTE__LOG__LEVEL", "debug").await;
        world.register("/", &json!({})).await;
        world.enqueue(Door::Http, &[event("e", GIVEN)]).await;
        let delivery = world.api.ended("e").await;
        let id = delivery["id"].as_str().expect("an id");
        world.app.logged(&[ENDED, &format!("delivery_id={id}"), &format!("trace_id={TRACE}")]).await;
    }

    async fn attempts_are_not_worth_a_line_by_default(setup: Setup) {
        let world = setup.await;
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        world.api.ended("e").await;
        assert!(!world.app.stderr().contains(ENDED));
    }
}
