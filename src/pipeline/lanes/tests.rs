//! That lanes share what there is.

use std::collections::HashMap;

use super::*;
use crate::model::clock;
use crate::model::delivery::DeliveryId;
use crate::model::endpoint::{Endpoint, EndpointDefaults, EndpointDraft};
use crate::model::event::{Event, EventFields, EventKey};
use crate::model::secret::Secret;
use crate::pipeline::flight::Origin;

const BREAKER: BreakerSettings = BreakerSettings {
    silent: 10,
    failures: 100,
    after: Duration::from_secs(10),
    pause: Duration::from_secs(1),
    max_pause: Duration::from_secs(60),
};
const LIMIT: usize = 64;
const HEALTHY: i64 = 1000;

fn lanes(endpoint_in_flight: usize) -> Lanes {
    let (hold, park_after) = (Duration::from_millis(500), Duration::from_secs(1));
    Lanes::new(WorkerSettings { in_flight: LIMIT, endpoint_in_flight, claim_batch: 256, commit_batch: 1000, hold, park_after }, BREAKER)
}

fn endpoint(id: i64) -> Arc<Endpoint> {
    let json = r#"{"name":"n","url":"https://example.com/","event_types":["*"]}"#;
    let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
    let spec = serde_json::from_str::<EndpointDraft>(json).expect("JSON").into_new(defaults).expect("valid").spec;
    let (secret, at) = (Secret::new("secret-secret".into()), clock::from_unix_seconds(0.0));
    Arc::new(Endpoint::new(id, Arc::from("default"), spec, secret, at))
}

fn flights(id: i64, count: usize) -> Vec<Flight> {
    let (endpoint, at) = (endpoint(id), clock::from_unix_seconds(0.0));
    let flight = |number: usize| {
        let key = EventKey { tenant: "default".into(), id: format!("{id}-{number}").into() };
        let delivery = DeliveryId::of(at, &key, id);
        let (source, version) = (String::new(), String::new());
        let event_type = "a".into();
        let fields = EventFields { key, event_type, data: "1", source, version, timestamp: 0.0, accepted_at: at, traceparent: None };
        let (endpoint, event) = (Arc::clone(&endpoint), Arc::new(Event::new(fields)));
        Flight { id: delivery, endpoint, event, attempts_before: 0, origin: Origin::Schedule, slot: None }
    };
    (0..count).map(flight).collect()
}

/// Ends what runs, one after the other, and answers how many were started of each endpoint meanwhile.
fn finish_with(lanes: &Lanes, sign: Sign, running: &mut VecDeque<Start>, count: usize) -> HashMap<i64, usize> {
    let mut started = HashMap::new();
    for _ in 0..count {
        let Some(Start { flight, at, .. }) = running.pop_front() else { break };
        if let Some(next) = lanes.finish(flight.endpoint.id, at, sign) {
            *started.entry(next.flight.endpoint.id).or_default() += 1;
            running.push_back(next);
        }
    }
    started
}

fn finish(lanes: &Lanes, running: &mut VecDeque<Start>, count: usize) -> HashMap<i64, usize> {
    finish_with(lanes, Sign::Well, running, count)
}

#[test]
fn endpoints_that_never_answer_leave_room_for_one_that_does() {
    let lanes = lanes(32);
    let hanging: usize = (0..8).map(|id| lanes.offer(flights(id, 100)).starts.len()).sum();
    // Half of it goes to whoever comes first, and each has its first request.
    assert!((LIMIT / 2..=LIMIT * 3 / 4 + 8).contains(&hanging), "{hanging}");
    let mut running: VecDeque<_> = lanes.offer(flights(HEALTHY, 200)).starts.into();
    assert!(!running.is_empty());
    // None of the others ends, and all of these do.
    let mut all = running.len();
    while !running.is_empty() {
        all += finish(&lanes, &mut running, 1).values().sum::<usize>();
    }
    assert_eq!(all, 200);
}

#[test]
fn every_endpoint_that_answered_before_has_its_first_request_while_there_is_room_for_any() {
    let lanes = lanes(32);
    for id in (HEALTHY..).take(LIMIT) {
        let mut running = lanes.offer(flights(id, 1)).starts.into();
        finish(&lanes, &mut running, 1);
    }
    for id in 0..8 {
        lanes.offer(flights(id, 100));
    }
    for id in (HEALTHY..).take(LIMIT - lanes.in_flight()) {
        assert!(!lanes.offer(flights(id, 10)).starts.is_empty(), "{id}");
    }
    assert_eq!(lanes.in_flight(), LIMIT);
}

#[test]
fn however_many_endpoints_never_answer_one_that_does_has_room_at_once_and_more_when_they_are_known() {
    let many = i64::try_from(LIMIT * 3).expect("small");
    let lanes = lanes(32);
    let mut running: VecDeque<_> = lanes.offer(flights(HEALTHY, 1)).starts.into();
    finish(&lanes, &mut running, 1);
    let offer_all = || {
        let turns: Vec<_> = (0..many).map(|id| lanes.offer(flights(id, 1))).collect();
        let away: Vec<_> = turns.iter().flat_map(|turns| &turns.away).map(|(_, wait, _)| *wait).collect();
        (turns.into_iter().flat_map(|turns| turns.starts).collect::<VecDeque<_>>(), away)
    };
    let (mut hanging, _) = offer_all();
    assert_eq!(hanging.len(), LIMIT - LIMIT / 8);
    running.extend(lanes.offer(flights(HEALTHY, 200)).starts);
    assert!(!running.is_empty());
    // All of them are found out, one timeout after the other.
    for _ in 0..8 {
        finish_with(&lanes, Sign::Silent, &mut hanging, usize::MAX);
        hanging = offer_all().0;
    }
    finish_with(&lanes, Sign::Silent, &mut hanging, usize::MAX);
    let (mut hanging, away) = offer_all();
    assert_eq!(hanging.len(), LIMIT / 4);
    assert!(away.len() > LIMIT && away.iter().all(|wait| *wait >= Duration::from_secs(1)), "{}", away.len());
    while !running.is_empty() {
        finish(&lanes, &mut running, 1);
    }
    let healthy: usize = (HEALTHY..).take(LIMIT).map(|id| lanes.offer(flights(id, 1)).starts.len()).sum();
    assert!(healthy >= LIMIT / 2, "{healthy}");
    // An answer is all it takes to be one of the others again.
    finish_with(&lanes, Sign::Failing, &mut hanging, usize::MAX);
    assert!(offer_all().0.len() >= LIMIT / 4);
}

#[test]
fn an_endpoint_that_did_not_answer_is_still_known_when_its_lane_is_gone() {
    let lanes = lanes(32);
    let silent = i64::try_from(LIMIT).expect("small");
    for id in 0..silent {
        let mut running = lanes.offer(flights(id, 1)).starts.into();
        finish_with(&lanes, Sign::Silent, &mut running, 1);
    }
    for id in (HEALTHY..).take(IDLE_LANES + 1) {
        let mut running = lanes.offer(flights(id, 1)).starts.into();
        finish(&lanes, &mut running, 1);
    }
    let started: usize = (0..silent).map(|id| lanes.offer(flights(id, 1)).starts.len()).sum();
    assert_eq!(started, LIMIT / 4);
}

#[test]
fn what_is_scarce_is_shared_in_equal_parts_however_much_waits_where() {
    let lanes = lanes(LIMIT);
    let mut running: VecDeque<_> = lanes.offer(flights(1, 1000)).starts.into();
    assert_eq!(running.len(), LIMIT, "nobody else wants any of it");
    running.extend(lanes.offer(flights(2, 400)).starts);
    for _ in 0..LIMIT * 8 {
        finish(&lanes, &mut running, 1);
        running.extend(lanes.offer(Vec::new()).starts);
    }
    let second = running.iter().filter(|start| start.flight.endpoint.id == 2).count();
    assert!(second.abs_diff(LIMIT / 2) <= 1 && running.len() >= LIMIT - 1, "{second} of {}", running.len());
}

#[test]
fn no_endpoint_has_more_in_flight_than_its_cap() {
    let lanes = lanes(5);
    let mut running: VecDeque<_> = lanes.offer(flights(1, 100)).starts.into();
    assert_eq!(running.len(), 5);
    finish(&lanes, &mut running, 50);
    assert_eq!((running.len(), lanes.in_flight()), (5, 5));
}

#[test]
fn an_endpoint_that_asks_for_less_holds_little_that_waits_until_it_takes_more() {
    let lanes = lanes(32);
    let mut running: VecDeque<_> = lanes.offer(flights(1, 100)).starts.into();
    assert_eq!(running.len(), 32);
    finish_with(&lanes, Sign::Overloaded(None), &mut running, 40);
    assert_eq!(lanes.in_flight(), 1);
    let away = lanes.offer(flights(1, 100)).away;
    assert!(away.len() >= 92, "{}", away.len());
    assert!(away.iter().all(|(_, wait, why)| !wait.is_zero() && *why == Wait::Busy));
    while !running.is_empty() {
        finish(&lanes, &mut running, 1);
        running.extend(lanes.offer(flights(1, 1)).starts);
        if lanes.in_flight() == 32 {
            break;
        }
    }
    let again = lanes.offer(flights(1, 100));
    assert!(again.away.is_empty() && lanes.in_flight() == 32, "{}", again.away.len());
}

#[test]
fn an_endpoint_that_was_broken_begins_with_one_request_at_a_time_and_has_one_more_after_each_success() {
    let lanes = Lanes { breaker: BreakerSettings { pause: Duration::ZERO, ..BREAKER }, ..lanes(32) };
    let mut running: VecDeque<_> = lanes.offer(flights(1, 32)).starts.into();
    finish_with(&lanes, Sign::Silent, &mut running, 32);
    assert_eq!((lanes.broken(), lanes.in_flight()), (vec![1], 0));
    assert!(lanes.offer(flights(1, 200)).starts.is_empty(), "nothing but a probe");
    running.extend(lanes.probe(1));
    assert_eq!(running.len(), 1);
    for wanted in 1..=32 {
        finish(&lanes, &mut running, 1);
        running.extend(lanes.offer(flights(1, 8)).starts);
        assert_eq!(lanes.in_flight(), wanted);
    }
    assert!(lanes.broken().is_empty());
}

#[test]
fn what_comes_after_a_pause_stays_for_the_probe_though_the_endpoint_counts_as_stuck() {
    let lanes = Lanes { breaker: BreakerSettings { pause: Duration::ZERO, ..BREAKER }, ..lanes(32) };
    let mut running: VecDeque<_> = lanes.offer(flights(1, 32)).starts.into();
    finish_with(&lanes, Sign::Silent, &mut running, 32);
    assert!(lanes.offer(flights(1, 5)).starts.is_empty());
    let away = |patience| lanes.look(patience, Duration::from_millis(250)).away.len();
    assert_eq!((away(Duration::MAX), away(Duration::ZERO)), (4, 0), "one is enough");
    assert_eq!(lanes.to_be_probed().len(), 1);
    assert_eq!(lanes.probe(1).len(), 1);
    assert_eq!(lanes.offer(flights(1, 5)).away.len(), 5, "one runs");
}

#[test]
fn a_probe_stays_while_others_that_are_stuck_have_all_that_there_is_for_them() {
    let lanes = Lanes { breaker: BreakerSettings { pause: Duration::ZERO, ..BREAKER }, ..lanes(32) };
    let mut running: VecDeque<_> = lanes.offer(flights(1, 32)).starts.into();
    finish_with(&lanes, Sign::Silent, &mut running, 32);
    lanes.offer(flights(1, 1));
    for id in 2..=LIMIT as i64 {
        let mut running: VecDeque<_> = lanes.offer(flights(id, 1)).starts.into();
        finish_with(&lanes, Sign::Silent, &mut running, 1);
        lanes.offer(flights(id, 1));
    }
    let away =
        || lanes.look(Duration::MAX, Duration::from_millis(250)).away.into_iter().filter(|(flight, ..)| flight.endpoint.id == 1).count();
    away();
    assert!(lanes.probe(1).is_empty(), "no room for what is stuck");
    assert_eq!(away(), 0);
}

#[test]
fn an_endpoint_that_hesitates_holds_little_that_waits_until_something_succeeds() {
    let (mut lane, begun, mut late) = (Lane::new(endpoint(1), 32, false), Instant::now(), Vec::new());
    let after = |millis| begun + Duration::from_millis(millis);
    lane.waiting.extend(flights(1, 48).into_iter().map(|flight| (begun, flight)));
    for _ in 0..32 {
        lane.start(begun, &mut late).expect("none has a slot");
    }
    assert_eq!(lane.turns_away(after(100)), None, "nobody knows yet");
    assert!(lane.turns_away(after(300)).is_some_and(|wait| wait >= Duration::from_secs(1)));
    let next = lane.waiting.pop_front().expect("one");
    assert_eq!(lane.turns_away(after(300)), None, "few wait");
    lane.waiting.push_back(next);
    lane.end(begun, Sign::Well, BREAKER, after(300));
    assert_eq!(lane.turns_away(after(350)), None, "it moves");
    let mut slow = Lane::new(endpoint(1), 1, false);
    slow.waiting.extend(flights(1, 9).into_iter().map(|flight| (begun, flight)));
    slow.start(begun, &mut late).expect("none has a slot");
    assert_eq!(slow.turns_away(after(300)), None, "a few cost nobody anything");
}
