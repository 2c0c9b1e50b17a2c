//! Events in the records: `accept`, `known`, `load_accepted`, `unrouted`, and what `record` does with an event.

use posthaste::model::delivery::Status;
use posthaste::model::event::Event;
use posthaste::ports::{Accepted, Batch, Known, Routed};

use super::fixtures::{Stand, at, event, event_of, key, keys, state, trace_of};
use super::for_both_backends;

for_both_backends! {
    accepting_tells_which_events_were_new_and_leaves_the_others_as_they_are
    the_same_id_of_another_tenant_is_another_event
    what_is_known_of_events_comes_in_order
    accepted_events_are_loaded_byte_for_byte
    data_that_is_too_large_is_left_where_it_is
    an_event_that_is_set_aside_is_neither_loaded_nor_unrouted_until_it_is_routed_after_all
    unrouted_events_come_oldest_first_before_a_time_and_after_another
    accepting_an_event_that_was_set_aside_replaces_it_as_a_new_one
    an_event_without_deliveries_is_routed
    an_event_that_somebody_else_routed_is_left_as_it_was_and_the_rest_is_written
    many_callers_accept_an_event_once
}

async fn accepting_tells_which_events_were_new_and_leaves_the_others_as_they_are(stand: Stand) {
    let accepted = stand.records.accept(&[event("a", 1), event("b", 2)]).await.expect("accepted");
    assert_eq!(accepted, [true, true]);
    let again = stand.records.accept(&[event("c", 9), event("a", 9), event("c", 10)]).await.expect("accepted");
    assert_eq!(again, [true, false, false]);
    let loaded = load(&stand, &["a", "c"]).await;
    let mut times: Vec<_> = loaded.iter().map(|event| (&*event.key.id, event.accepted_at)).collect();
    times.sort();
    assert_eq!(times, [("a", at(1)), ("c", at(9))]);
}

async fn the_same_id_of_another_tenant_is_another_event(stand: Stand) {
    let events = [event("a", 1), event_of("acme", "a", 1)];
    assert_eq!(stand.records.accept(&events).await.expect("accepted"), [true, true]);
}

async fn what_is_known_of_events_comes_in_order(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    stand.records.accept(&[event("a", 1), event("b", 1)]).await.expect("accepted");
    stand.recorded(&event("b", 1), endpoint, Status::Delivered, 1).await;
    stand.recorded(&event("c", 1), endpoint, Status::Delivered, 1).await;
    let known = stand.records.known(&keys(&["x", "c", "b", "a"])).await.expect("known");
    assert_eq!(known, [Known::No, Known::Routed, Known::Routed, Known::Accepted]);
}

async fn accepted_events_are_loaded_byte_for_byte(stand: Stand) {
    let (kept, routed) = (event("a", 1), event("b", 2));
    stand.records.accept(&[kept.clone(), routed.clone()]).await.expect("accepted");
    stand.route(&routed, vec![]).await;
    assert_eq!(load(&stand, &["a", "b", "x"]).await, [(*kept).clone()]);
}

async fn load(stand: &Stand, ids: &[&str]) -> Vec<Event> {
    let loaded = stand.records.load_accepted(&keys(ids), 1000).await.expect("loaded");
    let event = |accepted| match accepted {
        Accepted::Event(event) => Some(event),
        Accepted::TooLarge { .. } => None,
    };
    loaded.into_iter().filter_map(event).collect()
}

async fn data_that_is_too_large_is_left_where_it_is(stand: Stand) {
    let kept = event("a", 1);
    stand.records.accept(std::slice::from_ref(&kept)).await.expect("accepted");
    let bytes = kept.data().len();
    assert_eq!(stand.records.load_accepted(&keys(&["a"]), bytes).await.expect("loaded"), [Accepted::Event((*kept).clone())]);
    let loaded = stand.records.load_accepted(&keys(&["a"]), bytes - 1).await.expect("loaded");
    assert_eq!(loaded, [Accepted::TooLarge { key: key("a"), event_type: kept.event_type.clone(), bytes: bytes as u64 }]);
}

async fn an_event_that_is_set_aside_is_neither_loaded_nor_unrouted_until_it_is_routed_after_all(stand: Stand) {
    let (aside, other, routed) = (event("a", 1), event("b", 2), event("c", 3));
    stand.records.accept(&[aside.clone(), other.clone(), routed.clone()]).await.expect("accepted");
    stand.route(&routed, vec![]).await;
    let set_aside = ["a", "c"].map(|id| (key(id), "it cannot be".to_owned())).to_vec();
    stand.records.record(&Batch { set_aside, ..Batch::default() }).await.expect("recorded");
    assert_eq!(stand.records.known(&keys(&["a", "b", "c"])).await.expect("known"), [Known::SetAside, Known::Accepted, Known::Routed]);
    assert_eq!(load(&stand, &["a", "b", "c"]).await, [(*other).clone()]);
    assert_eq!(stand.records.unrouted(at(99), None, 9).await.expect("read"), [(key("b"), at(2))]);
    let again = Routed { event: aside, accepted: true, deliveries: vec![] };
    stand.records.record(&Batch { routed: vec![again], ..Batch::default() }).await.expect("recorded");
    assert_eq!(stand.records.known(&keys(&["a"])).await.expect("known"), [Known::Routed]);
}

async fn unrouted_events_come_oldest_first_before_a_time_and_after_another(stand: Stand) {
    let events = [event("c", 3), event("a", 1), event("b", 2), event("b2", 2), event("late", 9), event("gone", 1)];
    stand.records.accept(&events).await.expect("accepted");
    stand.route(&events[5], vec![]).await;
    let page = async |from: Option<&_>, max| stand.records.unrouted(at(9), from, max).await.expect("read");
    let all = page(None, 9).await;
    assert_eq!(all.iter().map(|(key, time)| (&*key.id, *time)).next(), Some(("a", at(1))));
    assert_eq!(all.iter().map(|(_, time)| *time).collect::<Vec<_>>(), [at(1), at(2), at(2), at(3)]);
    let mut paged = Vec::new();
    let mut from = None;
    loop {
        let rows = page(from.as_ref(), 1).await;
        let Some((key, time)) = rows.first().cloned() else { break };
        from = Some((time, key));
        paged.extend(rows);
    }
    assert_eq!(paged, all);
}

async fn an_event_without_deliveries_is_routed(stand: Stand) {
    stand.route(&event("a", 1), vec![]).await;
    assert_eq!(stand.records.known(&[key("a")]).await.expect("known"), [Known::Routed]);
    assert_eq!(stand.records.accept(&[event("a", 2)]).await.expect("accepted"), [false]);
}

async fn an_event_that_somebody_else_routed_is_left_as_it_was_and_the_rest_is_written(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint("other").await.id);
    let (taken, free) = (event("a", 1), event("b", 2));
    let id = stand.recorded(&taken, one, Status::Retrying, 1).await;
    let routed = |event: &std::sync::Arc<_>| Routed {
        event: std::sync::Arc::clone(event),
        accepted: false,
        deliveries: vec![state(event, one, Status::Delivered, 1), state(event, other, Status::Delivered, 1)],
    };
    let batch = Batch { routed: vec![routed(&taken), routed(&free)], ..Batch::default() };
    stand.records.record(&batch).await.expect("recorded");
    let page = stand.records.deliveries(&Default::default(), None, 50).await.expect("listed");
    let mut found: Vec<_> = page.items.iter().map(|view| (view.event_id.as_str(), view.endpoint_id, view.status)).collect();
    found.sort_by_key(|(event, endpoint, _)| (event.to_string(), *endpoint));
    assert_eq!(found, [("a", one, Status::Retrying), ("b", one, Status::Delivered), ("b", other, Status::Delivered)]);
    assert!(stand.records.load_waiting(&[id]).await.expect("loaded").len() == 1);
}

async fn accepting_an_event_that_was_set_aside_replaces_it_as_a_new_one(stand: Stand) {
    stand.records.accept(&[event("a", 1), event("b", 1)]).await.expect("accepted");
    let set_aside = vec![(key("a"), "it cannot be".to_owned())];
    stand.records.record(&Batch { set_aside, ..Batch::default() }).await.expect("recorded");
    let mended = Event::new(posthaste::model::event::EventFields {
        key: key("a"),
        event_type: "mended".into(),
        data: "1",
        source: String::new(),
        version: "3".into(),
        timestamp: 2.0,
        accepted_at: at(9),
        traceparent: trace_of(9),
    });
    let again = [std::sync::Arc::new(mended.clone()), event("b", 1)];
    assert_eq!(stand.records.accept(&again).await.expect("accepted"), [true, false]);
    let loaded = load(&stand, &["a"]).await.remove(0);
    assert_eq!((&loaded.event_type, loaded.data(), loaded.accepted_at), (&mended.event_type, "1", at(1)));
    assert_eq!(loaded.traceparent, trace_of(9));
    assert_eq!(stand.records.accept(&again).await.expect("accepted"), [false, false]);
}

async fn many_callers_accept_an_event_once(stand: Stand) {
    let events: Vec<_> = (0..50).map(|number| event(&format!("e{number}"), number)).collect();
    let callers = (0..8).map(|_| stand.records.accept(&events));
    let answers = futures_util::future::try_join_all(callers).await.expect("accepted");
    assert_eq!(answers.concat().into_iter().filter(|new| *new).count(), 50);
}
