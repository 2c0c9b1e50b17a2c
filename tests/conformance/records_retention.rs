//! What is over and old is removed: `forget_deliveries`, `forget_events`.

use posthaste::model::delivery::{DeliveryFilter, DeliveryId, Status};
use posthaste::ports::{Forgotten, Known};

use super::fixtures::{Stand, at, event, event_of, key, keys, state};
use super::for_both_backends;

for_both_backends! {
    deliveries_that_ended_before_a_time_go_with_their_attempts_and_all_others_stay
    a_delivery_without_an_attempt_is_as_old_as_its_event
    old_deliveries_are_looked_at_in_pages_oldest_first
    routed_events_without_deliveries_go_and_all_others_stay
    old_events_are_looked_at_in_pages_oldest_first
    an_event_that_was_removed_is_a_new_one_when_it_comes_again
}

async fn left(stand: &Stand) -> Vec<String> {
    let page = stand.records.deliveries(&DeliveryFilter::default(), None, 500).await.expect("listed");
    let mut ids: Vec<_> = page.items.into_iter().map(|view| view.event_id).collect();
    ids.sort();
    ids
}

// The n-th attempt of a delivery in these tests is made 1,000 + n seconds after the beginning.
async fn deliveries_that_ended_before_a_time_go_with_their_attempts_and_all_others_stay(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    for (id, second, status, attempts) in [
        ("delivered", 1, Status::Delivered, 1),
        ("failed", 2, Status::Failed, 2),
        ("pending", 1, Status::Pending, 0),
        ("retrying", 1, Status::Retrying, 1),
        ("ended-late", 1, Status::Delivered, 9),
        ("young", 1_900, Status::Delivered, 1),
    ] {
        stand.recorded(&event(id, second), endpoint, status, attempts).await;
    }
    let twice = event("twice", 3);
    let id = stand.recorded(&twice, endpoint, Status::Retrying, 1).await;
    assert!(stand.step(1, state(&twice, endpoint, Status::Delivered, 2)).await);
    let forgotten = stand.records.forget_deliveries(at(1_005), None, 100).await.expect("removed");
    assert_eq!(forgotten, Forgotten { removed: 3, next: None });
    assert_eq!(left(&stand).await, ["ended-late", "pending", "retrying", "young"]);
    // Recorded once more under the same id, it has no attempt of before.
    stand.records.forget_events(at(1_005), None, 100).await.expect("removed");
    stand.recorded(&twice, endpoint, Status::Delivered, 2).await;
    let (_, attempts) = stand.records.delivery(id, None).await.expect("read").expect("it is there");
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [2]);
}

async fn a_delivery_without_an_attempt_is_as_old_as_its_event(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    stand.recorded(&event("a", 1), endpoint, Status::Failed, 0).await;
    stand.recorded(&event("b", 5), endpoint, Status::Failed, 0).await;
    stand.records.forget_deliveries(at(5), None, 100).await.expect("removed");
    assert_eq!(left(&stand).await, ["b"]);
}

async fn old_deliveries_are_looked_at_in_pages_oldest_first(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let mut ids = Vec::new();
    for (number, status) in (0..).zip([Status::Retrying, Status::Delivered, Status::Retrying, Status::Failed, Status::Delivered]) {
        ids.push(stand.recorded(&event(&format!("e{number}"), number), endpoint, status, 1).await);
    }
    let page = async |from: Option<DeliveryId>| stand.records.forget_deliveries(at(1_500), from, 2).await.expect("removed");
    assert_eq!(page(None).await, Forgotten { removed: 1, next: Some(ids[1]) });
    assert_eq!(page(Some(ids[1])).await, Forgotten { removed: 1, next: Some(ids[3]) });
    assert_eq!(page(Some(ids[3])).await, Forgotten { removed: 1, next: None });
    assert_eq!(left(&stand).await, ["e0", "e2"]);
}

async fn routed_events_without_deliveries_go_and_all_others_stay(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    stand.records.accept(&[event("accepted", 1), event("by-door-2", 1)]).await.expect("accepted");
    stand.route(&event("by-door-2", 1), vec![]).await;
    stand.route(&event("unmatched", 1), vec![]).await;
    stand.route(&event_of("acme", "accepted", 1), vec![]).await;
    stand.route(&event("young", 5), vec![]).await;
    stand.recorded(&event("waits", 1), endpoint, Status::Retrying, 1).await;
    stand.recorded(&event("delivered", 1), endpoint, Status::Delivered, 1).await;
    let forgotten = stand.records.forget_events(at(5), None, 100).await.expect("removed");
    assert_eq!(forgotten, Forgotten { removed: 3, next: None });
    let names = ["accepted", "by-door-2", "unmatched", "young", "waits", "delivered"];
    let known = stand.records.known(&keys(&names)).await.expect("known");
    assert_eq!(known, [Known::Accepted, Known::No, Known::No, Known::Routed, Known::Routed, Known::Routed]);
}

async fn old_events_are_looked_at_in_pages_oldest_first(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    stand.recorded(&event("c", 1), endpoint, Status::Retrying, 1).await;
    // The order is by time, then by tenant, then by id.
    stand.route(&event("b", 2), vec![]).await;
    stand.records.accept(&[event("a", 2)]).await.expect("accepted");
    stand.route(&event_of("acme", "z", 2), vec![]).await;
    stand.route(&event("d", 3), vec![]).await;
    let page = async |from: Option<_>| stand.records.forget_events(at(9), from.as_ref(), 2).await.expect("removed");
    let acme = event_of("acme", "z", 2).key.clone();
    assert_eq!(page(None).await, Forgotten { removed: 1, next: Some((at(2), acme.clone())) });
    assert_eq!(page(Some((at(2), acme))).await, Forgotten { removed: 1, next: Some((at(2), key("b"))) });
    assert_eq!(page(Some((at(2), key("b")))).await, Forgotten { removed: 1, next: None });
    let known = stand.records.known(&keys(&["a", "b", "c", "d"])).await.expect("known");
    assert_eq!(known, [Known::Accepted, Known::No, Known::Routed, Known::No]);
}

async fn an_event_that_was_removed_is_a_new_one_when_it_comes_again(stand: Stand) {
    stand.route(&event("a", 1), vec![]).await;
    assert_eq!(stand.records.accept(&[event("a", 9)]).await.expect("accepted"), [false]);
    stand.records.forget_events(at(5), None, 100).await.expect("removed");
    assert_eq!(stand.records.accept(&[event("a", 9)]).await.expect("accepted"), [true]);
}
