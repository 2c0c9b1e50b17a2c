//! Failed deliveries are put back: `failed`, `put_back`.

use std::time::Duration;

use posthaste::model::clock;
use posthaste::model::delivery::{DeliveryId, Status};
use posthaste::ports::Window;

use super::backends::production;
use super::fixtures::{Stand, at, event, result, state};
use super::for_both_backends;

for_both_backends! {
    failed_deliveries_of_an_endpoint_come_oldest_first_within_the_window
    what_is_put_back_waits_with_its_attempts_and_is_due
    only_what_failed_is_put_back_and_only_once
    what_was_stopped_is_put_back_without_its_reason
    a_delivery_that_is_put_back_goes_on_with_the_next_number
}

async fn failed_deliveries_of_an_endpoint_come_oldest_first_within_the_window(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let mut ids = Vec::new();
    for second in [3, 1, 4, 2] {
        ids.push(stand.recorded(&event(&format!("e{second}"), second), endpoint, Status::Failed, 1).await);
    }
    stand.recorded(&event("done", 2), endpoint, Status::Delivered, 1).await;
    stand.recorded(&event("waits", 2), endpoint, Status::Retrying, 1).await;
    stand.recorded(&event("other", 2), endpoint + 1, Status::Failed, 1).await;
    ids.sort_unstable();
    let failed = async |since, until, from, max| {
        let window = Window { since, until };
        stand.records.failed(endpoint, window, from, max).await.expect("read")
    };
    assert_eq!(failed(None, None, None, 9).await, ids);
    assert_eq!(failed(None, None, None, 3).await, ids[..3]);
    assert_eq!(failed(None, None, Some(ids[2]), 3).await, ids[3..]);
    assert_eq!(failed(Some(at(2)), Some(at(4)), None, 9).await, ids[1..3]);
    // To the microsecond, although ids have milliseconds only.
    let just_after = clock::after(at(2), Duration::from_micros(1));
    assert_eq!(failed(Some(just_after), None, None, 9).await, ids[2..]);
    assert_eq!(failed(None, Some(just_after), None, 9).await, ids[..2]);
}

async fn what_is_put_back_waits_with_its_attempts_and_is_due(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let event = event("a", 1);
    let id = stand.recorded(&event, endpoint, Status::Retrying, 1).await;
    stand.step(1, state(&event, endpoint, Status::Failed, 2)).await;
    assert_eq!(stand.records.put_back(&[id], at(50)).await.expect("put back"), [id]);
    let (view, attempts) = stand.records.delivery(id, None).await.expect("read").expect("it is there");
    assert_eq!((view.status, view.attempt_count, view.next_retry_at), (Status::Retrying, 2, Some(at(50))));
    assert_eq!(view.error_message, result(Status::Failed, 2).error_message);
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(stand.records.overdue(at(51), None, 9).await.expect("read"), [(id, at(50))]);
    let waiting = stand.records.load_waiting(&[id]).await.expect("loaded");
    assert_eq!((waiting[0].attempt_count, waiting[0].event.as_ref()), (2, Some(&event)));
}

async fn only_what_failed_is_put_back_and_only_once(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let mut ids = Vec::new();
    for (second, status) in [(1, Status::Pending), (2, Status::Retrying), (3, Status::Delivered), (4, Status::Failed)] {
        ids.push(stand.recorded(&event(&format!("e{second}"), second), endpoint, status, 1).await);
    }
    assert_eq!(stand.records.put_back(&ids, at(50)).await.expect("put back"), ids[3..]);
    assert_eq!(stand.records.put_back(&ids, at(50)).await.expect("put back"), []);
    assert_eq!(stand.records.put_back(&[], at(50)).await.expect("put back"), []);
    assert_eq!(stand.view(ids[2]).await.status, Status::Delivered);
}

async fn what_was_stopped_is_put_back_without_its_reason(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let pending = stand.recorded(&event("a", 1), endpoint, Status::Pending, 0).await;
    let retrying = stand.recorded(&event("b", 2), endpoint, Status::Retrying, 1).await;
    stand.stop(&[endpoint], &[], 9).await;
    let mut back = stand.records.put_back(&[pending, retrying], at(50)).await.expect("put back");
    back.sort_unstable();
    assert_eq!(back, [pending, retrying]);
    let view = stand.view(pending).await;
    assert_eq!((view.status, view.attempt_count, view.error_message), (Status::Pending, 0, None));
    let view = stand.view(retrying).await;
    assert_eq!((view.status, view.attempt_count, view.error_message), (Status::Retrying, 1, result(Status::Failed, 1).error_message));
}

async fn a_delivery_that_is_put_back_goes_on_with_the_next_number(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let event = event("a", 1);
    let id = stand.recorded(&event, endpoint, Status::Retrying, 1).await;
    stand.stop(&[endpoint], &[], 9).await;
    stand.records.put_back(&[id], at(50)).await.expect("put back");
    assert!(stand.step(1, state(&event, endpoint, Status::Retrying, 2)).await);
    assert!(stand.step(2, state(&event, endpoint, Status::Delivered, 3)).await);
    let numbers: Vec<_> = stand.errors(id).await.into_iter().map(|(number, error)| (number, error.is_some())).collect();
    assert_eq!(numbers, [(1, true), (2, true), (3, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_event_is_gone_stays_failed() {
    let production = production().await;
    let stand = &production.stand;
    let (kept, gone) = (event("kept", 1), event("gone", 2));
    let mut ids: Vec<DeliveryId> = Vec::new();
    for event in [&kept, &gone] {
        ids.push(stand.recorded(event, 7, Status::Failed, 1).await);
    }
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    connection.batch_execute("DELETE FROM webhook_events WHERE id = 'gone'").await.expect("deleted");
    assert_eq!(stand.records.put_back(&ids, at(50)).await.expect("put back"), ids[..1]);
    assert_eq!(stand.view(ids[1]).await.status, Status::Failed);
}
