//! That what happened is counted under its name, and that there are never too many names.

use super::*;
use crate::model::clock;
use crate::model::endpoint::{EndpointDefaults, EndpointDraft};
use crate::model::event::{EventFields, EventKey};
use crate::model::outcome::{Answer, Failure, FailureKind, Outcome};
use crate::model::secret::Secret;

fn endpoint(name: &str) -> Endpoint {
    let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
    let draft = EndpointDraft {
        name: Some(name.into()),
        url: Some("https://example.com/".into()),
        event_types: Some(vec!["*".into()]),
        ..EndpointDraft::default()
    };
    let new = draft.into_new(defaults).expect("valid");
    Endpoint::new(1, new.tenant, new.spec, Secret::new("secret".into()), clock::now())
}

const SETTINGS: MetricsSettings = MetricsSettings { max_endpoints: 200, max_event_types: 200 };

fn event(event_type: &str) -> Event {
    let key = EventKey { tenant: "default".into(), id: "e".into() };
    let (source, version, accepted_at) = (String::new(), String::new(), clock::from_unix_seconds(1000.0));
    Event::new(EventFields {
        key,
        event_type: event_type.into(),
        data: "1",
        source,
        version,
        timestamp: 0.0,
        accepted_at,
        traceparent: None,
    })
}

fn attempt(outcome: Outcome) -> Attempt {
    Attempt { started_at: clock::from_unix_seconds(1002.0), took: Duration::from_millis(30), outcome }
}

fn answered(status: u16) -> Attempt {
    attempt(Outcome::Answered(Answer { status, body: String::new(), retry_after: None }))
}

#[track_caller]
fn shows(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.render();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} in\n{text}");
    }
}

#[test]
fn names_and_labels_are_those_of_the_contract() {
    let metrics = Metrics::new(SETTINGS);
    metrics.triggered("order.created", 2);
    metrics.attempted(&endpoint("shop"), &event("order.created"), 1, &answered(200));
    metrics.attempted(&endpoint("shop"), &event("order.created"), 99, &answered(503));
    metrics.settled("order.created", true);
    metrics.settled("order.created", false);
    metrics.depth(Depth { events: 7, deliveries: 5, dead_letters: 3 });
    metrics.endpoints_active(4);
    let text = metrics.render();
    for line in [
        "webhook_events_total{event_type=\"order.created\",status=\"triggered\"} 2",
        "webhook_events_total{event_type=\"order.created\",status=\"delivered\"} 1",
        "webhook_events_total{event_type=\"order.created\",status=\"failed\"} 1",
        "webhook_delivery_duration_seconds_count{endpoint_name=\"shop\",event_type=\"order.created\"} 2",
        "webhook_delivery_attempts_total{attempt_number=\"1\",endpoint_name=\"shop\"} 1",
        "webhook_delivery_attempts_total{attempt_number=\"10+\",endpoint_name=\"shop\"} 1",
        "webhook_outcomes_total{class=\"5xx\"} 1",
        "webhook_queue_size 7",
        "webhook_waiting_deliveries 5",
        "webhook_dead_letters 3",
        "webhook_endpoints_active 4",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(text.contains(&format!("webhook_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn label_values_are_bounded() {
    let metrics = Metrics::new(SETTINGS);
    for number in 0..SETTINGS.max_event_types + 5 {
        metrics.triggered(&format!("type.{number}"), 1);
        metrics.attempted(&endpoint(&format!("endpoint {number}")), &event("type.0"), 1, &answered(200));
    }
    let text = metrics.render();
    assert!(text.contains("webhook_events_total{event_type=\"other\",status=\"triggered\"} 5"));
    assert!(text.contains("webhook_delivery_attempts_total{attempt_number=\"1\",endpoint_name=\"other\"} 5"));
    let series = text.lines().filter(|line| line.starts_with("webhook_delivery_attempts_total{")).count();
    assert_eq!(series, SETTINGS.max_endpoints + 1);
}

#[test]
fn pairs_of_endpoint_and_event_type_are_bounded_too() {
    let metrics = Metrics::new(SETTINGS);
    for endpoint_number in 0..11 {
        let endpoint = endpoint(&format!("endpoint {endpoint_number}"));
        for number in 0..SETTINGS.max_event_types {
            metrics.attempted(&endpoint, &event(&format!("type.{number}")), 1, &answered(200));
        }
    }
    let text = metrics.render();
    let histograms = text.lines().filter(|line| line.starts_with("webhook_delivery_duration_seconds_count{")).count();
    assert!(histograms <= SETTINGS.max_endpoints * PAIRS_PER_ENDPOINT + SETTINGS.max_endpoints, "{histograms}");
    assert!(text.contains("endpoint_name=\"endpoint 10\",event_type=\"other\""));
}

#[test]
fn what_an_attempt_comes_to_is_counted_for_its_endpoint_and_a_success_from_the_event_on() {
    let metrics = Metrics::new(SETTINGS);
    metrics.attempted(&endpoint("shop"), &event("a"), 1, &answered(503));
    let labels = "endpoint_name=\"shop\"";
    shows(&metrics, &[&format!("webhook_endpoint_outcomes_total{{class=\"2xx\",{labels}}} 0")]);
    metrics.attempted(&endpoint("shop"), &event("a"), 2, &answered(204));
    shows(
        &metrics,
        &[
            &format!("webhook_endpoint_outcomes_total{{class=\"2xx\",{labels}}} 1"),
            &format!("webhook_endpoint_outcomes_total{{class=\"5xx\",{labels}}} 1"),
            &format!("webhook_end_to_end_seconds_sum{{{labels}}} 2.03"),
            &format!("webhook_end_to_end_seconds_count{{{labels}}} 1"),
            "webhook_attempts_to_success_sum 2",
            "webhook_attempts_to_success_count 1",
        ],
    );
}

#[test]
fn every_class_of_outcome_has_its_counter_from_the_start() {
    let metrics = Metrics::new(SETTINGS);
    let failure = |kind| attempt(Outcome::Failed(Failure { kind, detail: String::new() }));
    let attempts = [100, 200, 300, 400, 500].map(answered).into_iter().chain(FailureKind::ALL.map(failure));
    let mut count = 0;
    for attempt in attempts {
        let class = attempt.outcome.class();
        shows(&metrics, &[&format!("webhook_outcomes_total{{class=\"{class}\"}} 0")]);
        metrics.attempted(&endpoint("shop"), &event("a"), 1, &attempt);
        shows(&metrics, &[&format!("webhook_outcomes_total{{class=\"{class}\"}} 1")]);
        count += 1;
    }
    assert_eq!(count, CLASSES.len());
}

#[test]
fn what_waits_is_counted_by_its_reason() {
    let metrics = Metrics::new(SETTINGS);
    for (why, count) in Wait::ALL.into_iter().zip(1..) {
        shows(&metrics, &[&format!("webhook_waits_total{{reason=\"{}\"}} 0", why.as_str())]);
        metrics.waits(why, count);
        shows(&metrics, &[&format!("webhook_waits_total{{reason=\"{}\"}} {count}", why.as_str())]);
    }
    shows(&metrics, &["webhook_rate_limited_total 2"]);
}

#[test]
fn an_endpoint_that_was_broken_and_is_well_shows_0() {
    let metrics = Metrics::new(SETTINGS);
    let two = [Arc::new(endpoint("a")), Arc::new(endpoint("a"))];
    metrics.breakers(Breakers { open: 1, half_open: 1, slowed: 3 }, &two);
    shows(
        &metrics,
        &[
            "webhook_endpoint_broken{endpoint_name=\"a\"} 2",
            "webhook_endpoints_broken 2",
            "webhook_breakers{state=\"half_open\"} 1",
            "webhook_breakers{state=\"slowed\"} 3",
        ],
    );
    metrics.breakers(Breakers::default(), &[]);
    shows(&metrics, &["webhook_endpoint_broken{endpoint_name=\"a\"} 0", "webhook_breakers{state=\"open\"} 0"]);
}

#[test]
fn deliveries_in_memory_that_neither_wait_nor_run_are_being_recorded() {
    let metrics = Metrics::new(SETTINGS);
    metrics.load(Load { held: 10, in_flight: 3, turn: 2, slot: 1, connections: 5 });
    shows(&metrics, &["webhook_held_deliveries{state=\"record\"} 4", "webhook_in_flight 3", "webhook_receiver_connections 5"]);
    metrics.load(Load { held: 2, in_flight: 3, ..Load::default() });
    shows(&metrics, &["webhook_held_deliveries{state=\"record\"} 0"]);
}

#[test]
fn a_call_shows_its_errors_from_the_first_call_on() {
    let metrics = Metrics::new(SETTINGS);
    metrics.called("redis", "settle", Duration::from_millis(3), true);
    shows(&metrics, &["webhook_backend_call_errors_total{backend=\"redis\",call=\"settle\"} 0"]);
    metrics.called("redis", "settle", Duration::from_millis(3), false);
    shows(
        &metrics,
        &[
            "webhook_backend_call_errors_total{backend=\"redis\",call=\"settle\"} 1",
            "webhook_backend_call_seconds_count{backend=\"redis\",call=\"settle\"} 2",
        ],
    );
}

#[test]
fn one_phase_is_shown_at_a_time() {
    let metrics = Metrics::new(SETTINGS);
    shows(&metrics, &["webhook_process_phase{phase=\"starting\"} 1", "webhook_worker_running 0"]);
    metrics.phase(Phase::Running, true);
    shows(
        &metrics,
        &["webhook_process_phase{phase=\"starting\"} 0", "webhook_process_phase{phase=\"running\"} 1", "webhook_worker_running 1"],
    );
}
