//! Events in the records: `accept`, `known`, `load_accepted`, `unrouted`, and what `record` does with an event.

use posthaste::model::delivery::Status;
use posthaste::ports::{Batch, Known, Routed};

use super::fixtures::{Stand, at, event, event_of, key, keys, state};
use super::for_both_backends;

for_both_backends! {
    accepting_tells_which_events_were_new_and_leaves_the_others_as_they_are
    the_same_id_of_another_tenant_is_another_event
    what_is_known_of_events_comes_in_order
    accepted_events_are_loaded_byte_for_byte
    unrouted_events_come_oldest_first_before_a_time_and_after_another
    an_event_without_deliveries_is_routed
    an_event_that_somebody_else_routed_is_left_as_it_was_and_the_rest_is_written
    many_callers_accept_an_event_once
}

async fn accepting_tells_which_events_were_new_and_leaves_the_others_as_they_are(stand: Stand) {
    let accepted = stand.records.accept(&[event("a", 1), event("b", 2)]).await.expect("accepted");
    assert_eq!(accepted, [true, true]);
    let again = stand.records.accept(&[event("c", 9), event("a", 9), event("c", 10)]).await.expect("accepted");
    assert_eq!(again, [true, false, false]);
    let loaded = stand.records.load_accepted(&keys(&["a", "c"])).await.expect("loaded");
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
    let loaded = stand.records.load_accepted(&keys(&["a", "b", "x"])).await.expect("loaded");
    assert_eq!(loaded, [(*kept).clone()]);
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

async fn many_callers_accept_an_event_once(stand: Stand) {
    let events: Vec<_> = (0..50).map(|number| event(&format!("e{number}"), number)).collect();
    let callers = (0..8).map(|_| stand.records.accept(&events));
    let answers = futures_util::future::try_join_all(callers).await.expect("accepted");
    assert_eq!(answers.concat().into_iter().filter(|new| *new).count(), 50);
}
