use std::sync::Arc;
use std::time::Duration;

use super::{Place, attempt, deliver, event, event_at, key, routed, state, step};
use crate::model::clock;
use crate::model::delivery::{DeliveryFilter, Status};
use crate::model::event::EventKey;
use crate::ports::{Accepted, Known, Records as _};

#[tokio::test]
async fn an_event_is_accepted_once_and_comes_back_byte_for_byte() {
    let place = Place::new();
    let sqlite = place.open();
    let (a, b) = (event("a"), event("b"));
    assert_eq!(sqlite.accept(&[Arc::clone(&a), Arc::clone(&a)]).await.expect("accepts"), [true, false]);
    assert_eq!(sqlite.accept(&[Arc::clone(&a), Arc::clone(&b)]).await.expect("accepts"), [false, true]);
    assert_eq!(sqlite.load_accepted(&[key("a"), key("x")], 1000).await.expect("loads"), [Accepted::Event((*a).clone())]);
    sqlite.record(&routed(&a, true, vec![])).await.expect("records");
    let known = sqlite.known(&[key("a"), key("b"), key("x")]).await.expect("looks");
    assert_eq!(known, [Known::Routed, Known::Accepted, Known::No]);
    assert_eq!(sqlite.load_accepted(&[key("a")], 1000).await.expect("loads"), []);
}

#[tokio::test]
async fn an_event_that_somebody_else_routed_is_left_with_its_deliveries() {
    let place = Place::new();
    let sqlite = place.open();
    let a = event("a");
    let id = deliver(&sqlite, &a, Status::Delivered).await;
    for accepted in [false, true] {
        let other = state(&a, 2, Status::Failed, 1, 500);
        sqlite.record(&routed(&a, accepted, vec![other])).await.expect("records the rest");
    }
    let page = sqlite.deliveries(&DeliveryFilter::default(), None, 9).await.expect("lists");
    assert_eq!(page.items.iter().map(|view| (view.id, view.status)).collect::<Vec<_>>(), [(id, Status::Delivered)]);
}

#[tokio::test]
async fn an_event_accepted_meanwhile_is_routed_with_the_ids_that_were_sent() {
    let place = Place::new();
    let sqlite = place.open();
    let early = clock::from_unix_seconds(1000.0);
    sqlite.accept(&[event_at("a", early)]).await.expect("accepts");
    let id = deliver(&sqlite, &event("a"), Status::Delivered).await;
    let filter = DeliveryFilter { event_id: Some("a".into()), ..DeliveryFilter::default() };
    assert_eq!(sqlite.deliveries(&filter, None, 9).await.expect("lists").items[0].id, id);
    assert_eq!(sqlite.known(&[key("a")]).await.expect("looks"), [Known::Routed]);
}

#[tokio::test]
async fn every_attempt_is_kept_and_a_late_step_changes_nothing() {
    let place = Place::new();
    let sqlite = place.open();
    let a = event("a");
    let id = deliver(&sqlite, &a, Status::Retrying).await;
    sqlite.record(&step(1, state(&a, 1, Status::Retrying, 2, 502))).await.expect("steps");
    sqlite.record(&step(1, state(&a, 1, Status::Failed, 2, 404))).await.expect("too late");
    sqlite.record(&step(2, state(&a, 1, Status::Delivered, 3, 204))).await.expect("steps");
    sqlite.record(&step(3, state(&a, 1, Status::Failed, 4, 404))).await.expect("is settled already");
    let (view, attempts) = sqlite.delivery(id, None).await.expect("looks").expect("there");
    assert_eq!((view.status, view.attempt_count, view.error_message), (Status::Delivered, 3, None));
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.result.response_status)).collect();
    assert_eq!(seen, [(1, Some(500)), (2, Some(502)), (3, Some(204))]);
    assert_eq!(attempts[0].result.response_body.as_deref(), Some("body of 500"));
}

#[tokio::test]
async fn a_delivery_given_up_without_an_attempt_keeps_its_latest_outcome_and_says_why() {
    let place = Place::new();
    let sqlite = place.open();
    let a = event("a");
    let id = deliver(&sqlite, &a, Status::Retrying).await;
    let mut given_up = state(&a, 1, Status::Failed, 1, 500);
    (given_up.last, given_up.reason) = (None, Some("the endpoint was removed".into()));
    sqlite.record(&step(1, given_up)).await.expect("steps");
    let (view, attempts) = sqlite.delivery(id, None).await.expect("looks").expect("there");
    assert_eq!(view.error_message.as_deref(), Some("the endpoint was removed"));
    assert_eq!((view.status, view.response_status, attempts.len()), (Status::Failed, Some(500), 1));
    assert_eq!(attempts[0].result.error_message.as_deref(), Some("the receiver answered 500"));
}

#[tokio::test]
async fn waiting_deliveries_come_with_their_events() {
    let place = Place::new();
    let sqlite = place.open();
    let (a, b) = (event("a"), event("b"));
    let both = vec![state(&a, 1, Status::Pending, 0, 0), state(&a, 2, Status::Retrying, 1, 500)];
    let ids: Vec<_> = both.iter().map(|state| state.id).collect();
    sqlite.record(&routed(&a, false, both)).await.expect("records");
    let done = deliver(&sqlite, &b, Status::Delivered).await;
    let waiting = sqlite.load_waiting(&[ids[0], done, ids[1]]).await.expect("loads");
    assert_eq!(waiting.iter().map(|waiting| (waiting.id, waiting.attempt_count)).collect::<Vec<_>>(), [(ids[0], 0), (ids[1], 1)]);
    let events: Vec<_> = waiting.iter().filter_map(|waiting| waiting.event.as_ref()).collect();
    assert!(Arc::ptr_eq(events[0], events[1]) && **events[0] == *a);
}

#[tokio::test]
async fn the_sweep_pages_through_what_is_left_without_gaps() {
    let place = Place::new();
    let sqlite = place.open();
    let at = clock::from_unix_seconds(1000.0);
    let events: Vec<_> = ["c", "a", "d", "b"].map(|id| event_at(id, at)).into();
    sqlite.accept(&events).await.expect("accepts");
    let (mut from, mut seen) = (None, Vec::new());
    while let Some((last, accepted_at)) = sqlite.unrouted(clock::now(), from.as_ref(), 3).await.expect("pages").pop() {
        seen.push(last.id.to_string());
        from = Some((accepted_at, last));
    }
    assert_eq!(seen, ["d", "b"]);
    assert_eq!(sqlite.unrouted(at, None, 9).await.expect("none is older"), []);

    let mut states: Vec<_> = (1..=4).map(|endpoint| state(&events[0], endpoint, Status::Pending, 0, 0)).collect();
    states.iter_mut().for_each(|state| state.next_retry_at = Some(at));
    let ids: Vec<_> = states.iter().map(|state| (state.id, at)).collect();
    sqlite.record(&routed(&events[0], true, states)).await.expect("records");
    assert_eq!(sqlite.overdue(clock::now(), None, 3).await.expect("pages"), ids[..3]);
    assert_eq!(sqlite.overdue(clock::now(), Some((at, ids[2].0)), 3).await.expect("pages"), ids[3..]);
    assert_eq!(sqlite.overdue(at, None, 3).await.expect("none is older"), []);
}

#[tokio::test]
async fn lists_are_filtered_by_everything_that_is_set() {
    let place = Place::new();
    let sqlite = place.open();
    let at = |millis: u64| clock::after(clock::from_unix_seconds(1000.0), Duration::from_micros(millis * 1000 + 500));
    let mut ids = Vec::new();
    for (number, status) in [Status::Delivered, Status::Failed, Status::Retrying, Status::Delivered].into_iter().enumerate() {
        ids.push(deliver(&sqlite, &event_at(&number.to_string(), at(number as u64)), status).await);
    }
    let list = async |filter: DeliveryFilter| {
        let page = sqlite.deliveries(&filter, None, 9).await.expect("lists");
        page.items.iter().map(|view| ids.iter().position(|id| *id == view.id).expect("ours")).collect::<Vec<_>>()
    };
    let all = DeliveryFilter::default;
    assert_eq!(list(all()).await, [3, 2, 1, 0]);
    assert_eq!(list(DeliveryFilter { status: Some(Status::Failed), ..all() }).await, [1]);
    assert_eq!(list(DeliveryFilter { status: Some(Status::Delivered), ..all() }).await, [3, 0]);
    assert_eq!(list(DeliveryFilter { event_id: Some("2".into()), ..all() }).await, [2]);
    assert_eq!(list(DeliveryFilter { event_id: Some("none".into()), ..all() }).await, [0; 0]);
    assert_eq!(list(DeliveryFilter { endpoint_id: Some(1), event_type: Some("order.created".into()), ..all() }).await, [3, 2, 1, 0]);
    assert_eq!(list(DeliveryFilter { endpoint_id: Some(2), ..all() }).await, [0; 0]);
    assert_eq!(list(DeliveryFilter { tenant: Some("other".into()), ..all() }).await, [0; 0]);
    // To the microsecond: ids have milliseconds only.
    assert_eq!(list(DeliveryFilter { since: Some(at(1)), until: Some(at(3)), ..all() }).await, [2, 1]);
    let later = clock::after(at(1), Duration::from_micros(1));
    assert_eq!(list(DeliveryFilter { since: Some(later), ..all() }).await, [3, 2]);
    assert_eq!(list(DeliveryFilter { until: Some(later), ..all() }).await, [1, 0]);
    assert_eq!(sqlite.delivery(ids[0], Some("other")).await.expect("looks"), None);
}

#[tokio::test]
async fn pages_follow_each_other_and_the_last_has_no_cursor() {
    let place = Place::new();
    let sqlite = place.open();
    for number in 0..3 {
        deliver(&sqlite, &event(&number.to_string()), Status::Delivered).await;
    }
    let first = sqlite.deliveries(&DeliveryFilter::default(), None, 2).await.expect("lists");
    let second = sqlite.deliveries(&DeliveryFilter::default(), first.next, 2).await.expect("lists");
    assert_eq!((first.items.len(), second.items.len(), second.next), (2, 1, None));
    assert!(first.items[1].id > second.items[0].id);
}

#[tokio::test]
async fn totals_count_what_is_settled_and_average_the_latest_attempts() {
    let place = Place::new();
    let sqlite = place.open();
    let since = clock::now();
    deliver(&sqlite, &event_at("old", clock::from_unix_seconds(1000.0)), Status::Delivered).await;
    deliver(&sqlite, &event("a"), Status::Pending).await;
    let b = event("b");
    let mut slow = state(&b, 2, Status::Failed, 1, 500);
    slow.last = Some(crate::model::delivery::AttemptResult { response_time: 0.75, ..attempt(500) });
    sqlite.record(&routed(&b, false, vec![state(&b, 1, Status::Delivered, 1, 200), slow])).await.expect("records");
    let totals = sqlite.totals(since, None).await.expect("counts");
    assert_eq!((totals.total, totals.delivered, totals.failed, totals.avg_response_time), (3, 1, 1, 0.5));
    assert_eq!(sqlite.totals(since, Some("other")).await.expect("counts").total, 0);
    let each = sqlite.endpoint_totals(since, &[2, 1, 9]).await.expect("counts");
    assert_eq!(each.iter().map(|totals| totals.total).collect::<Vec<_>>(), [1, 2, 0]);
}

#[tokio::test]
async fn the_same_id_in_two_tenants_is_two_events() {
    let place = Place::new();
    let sqlite = place.open();
    let ours = event("a");
    let mut theirs = (*ours).clone();
    theirs.key = EventKey { tenant: Arc::from("other"), id: Arc::from("a") };
    let theirs = Arc::new(theirs);
    assert_eq!(sqlite.accept(&[Arc::clone(&ours), Arc::clone(&theirs)]).await.expect("accepts"), [true, true]);
    sqlite.record(&routed(&ours, true, vec![state(&ours, 1, Status::Delivered, 1, 200)])).await.expect("records");
    sqlite.record(&routed(&theirs, true, vec![state(&theirs, 2, Status::Delivered, 1, 200)])).await.expect("records");
    let mut filter = DeliveryFilter { event_id: Some("a".into()), ..DeliveryFilter::default() };
    assert_eq!(sqlite.deliveries(&filter, None, 9).await.expect("lists").items.len(), 2);
    filter.tenant = Some("other".into());
    let page = sqlite.deliveries(&filter, None, 9).await.expect("lists");
    assert_eq!(page.items.iter().map(|view| view.endpoint_id).collect::<Vec<_>>(), [2]);
}
