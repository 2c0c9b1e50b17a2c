//! Of which traces spans are made.

use serde_json::json;

use super::{GIVEN, NOT_SAMPLED, TRACE, carried, event};
use crate::harness::{Collector, both_modes};

const SAMPLE: &str = "POSTHASTE__TRACING__SAMPLE";

both_modes! {
    async fn a_sample_of_nothing_makes_no_span_but_of_traces_that_are_sampled_already(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).set(SAMPLE, "0").await;
        world.register("/", &json!({})).await;
        for door in world.doors() {
            world.enqueue(door, &[event(&format!("{door:?}-none"), "nonsense"), event(&format!("{door:?}-given"), GIVEN)]).await;
        }
        for door in world.doors() {
            let spans = collector.spans_of(&format!("{door:?}-given"), 3).await;
            assert!(spans.iter().all(|span| span.trace_id == TRACE));
            let id = format!("{door:?}-none");
            world.arrived(&id).await;
            // Receivers learn that nobody looks, so that none of them begins a trace of its own.
            let [Some(told)] = &carried(&world.receiver.requests(), &id)[..] else { panic!("{id} has no trace") };
            assert!(told.starts_with("00-") && told.ends_with("-00") && !told.contains(TRACE), "{told}");
        }
        assert!(collector.spans().iter().all(|span| span.attribute("posthaste.event.id").ends_with("-given")));
    }

    async fn of_a_trace_that_is_not_sampled_no_span_is_made_and_it_is_passed_on_as_it_came(setup: Setup) {
        let collector = Collector::start().await;
        let world = collector.of(setup).set(SAMPLE, "1").await;
        world.register("/", &json!({})).await;
        for door in world.doors() {
            world.enqueue(door, &[event(&format!("{door:?}-not"), NOT_SAMPLED)]).await;
            world.arrived(&format!("{door:?}-not")).await;
            assert_eq!(carried(&world.receiver.requests(), &format!("{door:?}-not")), [Some(NOT_SAMPLED.to_owned())]);
            world.enqueue(door, &[event(&format!("{door:?}-after"), "nonsense")]).await;
            collector.spans_of(&format!("{door:?}-after"), 3).await;
        }
        assert!(collector.spans().iter().all(|span| span.attribute("posthaste.event.id").ends_with("-after")));
    }

    async fn a_part_of_all_traces_is_whole_and_the_others_are_not_there(setup: Setup) {
        let collector = Collector::start().await;
        let mut world = collector.of(setup).set(SAMPLE, "0.5").await;
        world.register("/", &json!({})).await;
        let events: Vec<_> = (0..200).map(|number| event(&format!("e{number}"), "nonsense")).collect();
        world.enqueue(crate::harness::Door::Http, &events).await;
        world.api.wait_for_deliveries("delivered", 200).await;
        // The last spans go out when it ends.
        world.app.terminate();
        assert_eq!(world.app.exited().await.code(), Some(0));
        let mut spans_of = std::collections::BTreeMap::<_, usize>::new();
        for span in collector.spans() {
            *spans_of.entry(span.attribute("posthaste.event.id").to_owned()).or_default() += 1;
        }
        assert!((60..140).contains(&spans_of.len()), "{} of 200", spans_of.len());
        assert!(spans_of.values().all(|count| *count == 3), "{spans_of:?}");
        let requests = world.receiver.requests();
        for number in 0..200 {
            let id = format!("e{number}");
            let flags = if spans_of.contains_key(&id) { "-01" } else { "-00" };
            assert!(carried(&requests, &id)[0].as_ref().is_some_and(|trace| trace.ends_with(flags)), "{id}");
        }
    }
}
