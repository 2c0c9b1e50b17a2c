//! Deliveries in the records: steps, `load_waiting`, `overdue`, `delivery`.

use std::time::Duration;

use posthaste::model::clock;
use posthaste::model::delivery::Status;
use posthaste::ports::{Batch, Disabling};

use super::fixtures::{Stand, at, event, result, state};
use super::for_both_backends;

for_both_backends! {
    waiting_deliveries_are_loaded_with_their_events
    a_step_counts_only_if_nobody_recorded_another_meanwhile
    a_delivery_carries_its_attempts_first_attempt_first
    a_delivery_of_another_tenant_is_not_there
    overdue_deliveries_come_earliest_first_before_a_time_and_after_another
    an_endpoint_that_asked_to_be_left_alone_is_disabled_with_the_reason
}

async fn waiting_deliveries_are_loaded_with_their_events(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let events = [event("a", 1), event("b", 2), event("c", 3), event("d", 4)];
    let mut ids = Vec::new();
    for (event, (status, attempts)) in
        events.iter().zip([(Status::Pending, 0), (Status::Retrying, 2), (Status::Delivered, 1), (Status::Failed, 3)])
    {
        ids.push(stand.recorded(event, endpoint, status, attempts).await);
    }
    let mut waiting = stand.records.load_waiting(&ids).await.expect("loaded");
    waiting.sort_by_key(|waiting| waiting.id);
    assert_eq!(waiting.len(), 2);
    for (waiting, (event, attempts)) in waiting.iter().zip([(&events[0], 0), (&events[1], 2)]) {
        assert_eq!((waiting.event.as_ref(), waiting.attempt_count, waiting.endpoint_id), (Some(event), attempts, endpoint));
        assert_eq!(
            (&waiting.event_type, waiting.next_retry_at),
            (&event.event_type, clock::after(event.accepted_at, Duration::from_secs(10)))
        );
    }
}

async fn a_step_counts_only_if_nobody_recorded_another_meanwhile(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let event = event("a", 1);
    stand.recorded(&event, endpoint, Status::Retrying, 1).await;
    assert!(!stand.step(0, state(&event, endpoint, Status::Failed, 1)).await);
    assert!(stand.step(1, state(&event, endpoint, Status::Retrying, 2)).await);
    assert!(!stand.step(1, state(&event, endpoint, Status::Delivered, 2)).await);
    assert!(stand.step(2, state(&event, endpoint, Status::Delivered, 3)).await);
}

async fn a_delivery_carries_its_attempts_first_attempt_first(stand: Stand) {
    let endpoint = stand.endpoint("n").await;
    let event = event("a", 1);
    let id = stand.recorded(&event, endpoint.id, Status::Retrying, 1).await;
    stand.step(1, state(&event, endpoint.id, Status::Retrying, 2)).await;
    stand.step(2, state(&event, endpoint.id, Status::Delivered, 3)).await;
    let (view, attempts) = stand.records.delivery(id, Some("default")).await.expect("read").expect("it is there");
    let wanted =
        [(1, Status::Retrying), (2, Status::Retrying), (3, Status::Delivered)].map(|(number, status)| (number, result(status, number)));
    assert_eq!(attempts.into_iter().map(|attempt| (attempt.number, attempt.result)).collect::<Vec<_>>(), wanted);
    assert_eq!((view.status, view.attempt_count, view.next_retry_at), (Status::Delivered, 3, None));
    assert_eq!((view.event_id.as_str(), view.event_type.as_str(), view.endpoint_name.as_str()), ("a", "order.created", "n"));
    assert_eq!((view.created_at, view.last_attempt_at), (at(1), Some(wanted[2].1.at)));
    assert_eq!((view.response_status, view.response_time, view.error_message), (Some(200), Some(0.25), None));
}

async fn a_delivery_of_another_tenant_is_not_there(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let id = stand.recorded(&event("a", 1), endpoint, Status::Delivered, 1).await;
    assert!(stand.records.delivery(id, Some("acme")).await.expect("read").is_none());
    assert!(stand.records.delivery(id, None).await.expect("read").is_some());
}

async fn overdue_deliveries_come_earliest_first_before_a_time_and_after_another(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let mut wanted = Vec::new();
    for (id, second, status) in
        [("c", 3, Status::Retrying), ("a", 1, Status::Pending), ("b", 2, Status::Retrying), ("d", 1, Status::Retrying)]
    {
        wanted.push((clock::after(at(second), Duration::from_secs(10)), stand.recorded(&event(id, second), endpoint, status, 0).await));
    }
    stand.recorded(&event("done", 1), endpoint, Status::Delivered, 1).await;
    stand.recorded(&event("later", 50), endpoint, Status::Retrying, 1).await;
    wanted.sort();
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let rows = stand.records.overdue(at(60), from, 1).await.expect("read");
        let Some(&(id, due)) = rows.first() else { break };
        from = Some((due, id));
        found.push((due, id));
    }
    assert_eq!(found, wanted);
}

async fn an_endpoint_that_asked_to_be_left_alone_is_disabled_with_the_reason(stand: Stand) {
    let endpoint = stand.endpoint("n").await;
    let revision = stand.catalog.changes(0).await.expect("read").revision;
    let batch = Batch { disabled: vec![Disabling::now(endpoint.id, "answered 410")], ..Batch::default() };
    stand.records.record(&batch).await.expect("recorded");
    let changes = stand.catalog.changes(revision).await.expect("read");
    let changed: Vec<_> = changes.changed.iter().map(|e| (e.id, e.spec.is_active, e.disabled_reason.as_deref())).collect();
    assert_eq!(changed, [(endpoint.id, false, Some("answered 410"))]);
}
