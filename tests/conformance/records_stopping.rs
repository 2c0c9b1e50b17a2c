//! Whole endpoints' deliveries are stopped: `waited_for`, `stop_waiting`, and the steps of what was stopped.

use posthaste::model::delivery::{DeliveryId, DeliveryState, DeliveryView, Status};
use posthaste::model::endpoint::EndpointSpec;

use super::fixtures::{Stand, at, event, result, spec, state};
use super::for_both_backends;

for_both_backends! {
    endpoints_that_deliveries_wait_for_come_by_id_page_by_page
    what_waits_for_an_inactive_endpoint_fails_with_the_reason_and_keeps_its_attempts
    an_active_endpoint_is_passed_over_and_a_removed_one_is_not
    batches_are_bounded_and_what_is_excepted_stays
    what_was_stopped_neither_waits_nor_is_overdue
    an_attempt_under_way_that_succeeds_makes_a_stopped_delivery_delivered
    an_attempt_under_way_that_fails_is_kept_and_the_delivery_stays_stopped
    a_stopped_delivery_takes_no_step_without_an_attempt_and_none_twice
    a_delivery_that_failed_with_its_attempt_takes_no_further_one
    an_attempt_and_what_stopped_the_delivery_are_both_kept
}

const REASON: &str = "the endpoint is disabled: by its owner";

pub(super) fn reasons(endpoints: &[i64]) -> Vec<(i64, String)> {
    endpoints.iter().map(|id| (*id, REASON.to_owned())).collect()
}

impl Stand {
    /// An endpoint that is disabled.
    pub(super) async fn disabled(&self, name: &str) -> i64 {
        let id = self.endpoint(name).await.id;
        self.disable(id).await;
        id
    }

    pub(super) async fn disable(&self, id: i64) {
        let spec = EndpointSpec { is_active: false, ..spec("off") };
        self.catalog.update(id, None, spec).await.expect("changed");
    }

    /// Stops what waits for these endpoints, and answers the ids in order.
    pub(super) async fn stop(&self, endpoints: &[i64], except: &[DeliveryId], max: usize) -> Vec<DeliveryId> {
        let stopped = self.records.stop_waiting(&reasons(endpoints), except, max).await.expect("stopped");
        assert!(stopped.iter().all(|stopped| &*stopped.event_type == "order.created"), "{stopped:?}");
        let mut ids: Vec<_> = stopped.into_iter().map(|stopped| stopped.id).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) async fn view(&self, id: DeliveryId) -> DeliveryView {
        self.records.delivery(id, None).await.expect("read").expect("it is there").0
    }

    /// What each attempt came to, by its own error.
    pub(super) async fn errors(&self, id: DeliveryId) -> Vec<(u32, Option<String>)> {
        let (_, attempts) = self.records.delivery(id, None).await.expect("read").expect("it is there");
        attempts.into_iter().map(|attempt| (attempt.number, attempt.result.error_message)).collect()
    }
}

fn own(number: u32) -> (u32, Option<String>) {
    (number, result(Status::Failed, number).error_message)
}

async fn endpoints_that_deliveries_wait_for_come_by_id_page_by_page(stand: Stand) {
    assert_eq!(stand.records.waited_for(None, 9).await.expect("read"), [0_i64; 0]);
    let (a, b, c, d) = (event("a", 1), event("b", 2), event("c", 3), event("d", 4));
    for (event, endpoint, status) in
        [(&a, 30, Status::Pending), (&b, 10, Status::Retrying), (&c, 20, Status::Delivered), (&d, 10, Status::Pending)]
    {
        stand.recorded(event, endpoint, status, 1).await;
    }
    stand.recorded(&event("e", 5), 40, Status::Failed, 1).await;
    assert_eq!(stand.records.waited_for(None, 9).await.expect("read"), [10, 30]);
    assert_eq!(stand.records.waited_for(None, 1).await.expect("read"), [10]);
    assert_eq!(stand.records.waited_for(Some(10), 1).await.expect("read"), [30]);
    assert_eq!(stand.records.waited_for(Some(30), 1).await.expect("read"), [0_i64; 0]);
}

async fn what_waits_for_an_inactive_endpoint_fails_with_the_reason_and_keeps_its_attempts(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let pending = stand.recorded(&event("a", 1), endpoint, Status::Pending, 0).await;
    let retrying = stand.recorded(&event("b", 2), endpoint, Status::Retrying, 1).await;
    let delivered = stand.recorded(&event("c", 3), endpoint, Status::Delivered, 1).await;
    assert_eq!(stand.stop(&[endpoint], &[], 9).await, [pending, retrying]);
    for (id, attempts) in [(pending, 0), (retrying, 1)] {
        let view = stand.view(id).await;
        assert_eq!((view.status, view.attempt_count, view.next_retry_at), (Status::Failed, attempts, None));
        assert_eq!(view.error_message.as_deref(), Some(REASON));
    }
    assert_eq!(stand.errors(pending).await, []);
    assert_eq!(stand.errors(retrying).await, [own(1)]);
    assert_eq!(stand.view(delivered).await.status, Status::Delivered);
    assert_eq!(stand.stop(&[endpoint], &[], 9).await, []);
}

async fn an_active_endpoint_is_passed_over_and_a_removed_one_is_not(stand: Stand) {
    let (active, removed) = (stand.endpoint("active").await.id, stand.endpoint("removed").await.id);
    stand.catalog.remove(removed, None).await.expect("removed");
    let nobodys = removed + 1000;
    let kept = stand.recorded(&event("a", 1), active, Status::Pending, 0).await;
    let first = stand.recorded(&event("b", 2), removed, Status::Pending, 0).await;
    let second = stand.recorded(&event("c", 3), nobodys, Status::Pending, 0).await;
    assert_eq!(stand.stop(&[active, removed, nobodys], &[], 9).await, [first, second]);
    assert_eq!(stand.view(kept).await.status, Status::Pending);
}

async fn batches_are_bounded_and_what_is_excepted_stays(stand: Stand) {
    let (one, two) = (stand.disabled("one").await, stand.disabled("two").await);
    let mut wanted = Vec::new();
    for second in 0..6 {
        let endpoint = if second < 3 { one } else { two };
        wanted.push(stand.recorded(&event(&format!("e{second}"), second), endpoint, Status::Pending, 0).await);
    }
    let excepted = wanted.remove(1);
    let mut all: Vec<DeliveryId> = Vec::new();
    loop {
        let stopped = stand.stop(&[one, two], &[excepted], 2).await;
        assert!(stopped.len() <= 2);
        all.extend(&stopped);
        if stopped.len() < 2 {
            break;
        }
    }
    assert_eq!(all, wanted);
    assert_eq!(stand.view(excepted).await.status, Status::Pending);
}

async fn what_was_stopped_neither_waits_nor_is_overdue(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let id = stand.recorded(&event("a", 1), endpoint, Status::Retrying, 1).await;
    stand.stop(&[endpoint], &[], 9).await;
    assert_eq!(stand.records.load_waiting(&[id]).await.expect("loaded"), []);
    assert_eq!(stand.records.overdue(at(500), None, 9).await.expect("read"), []);
    assert_eq!(stand.records.waited_for(None, 9).await.expect("read"), [0_i64; 0]);
}

async fn an_attempt_under_way_that_succeeds_makes_a_stopped_delivery_delivered(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    for (id, second, attempts) in [("a", 1, 0), ("b", 2, 1)] {
        let event = event(id, second);
        let status = if attempts == 0 { Status::Pending } else { Status::Retrying };
        let id = stand.recorded(&event, endpoint, status, attempts).await;
        stand.stop(&[endpoint], &[], 9).await;
        assert!(stand.step(attempts, state(&event, endpoint, Status::Delivered, attempts + 1)).await);
        let view = stand.view(id).await;
        assert_eq!((view.response_status, view.error_message, view.next_retry_at), (Some(200), None, None));
        let mut wanted: Vec<_> = (1..=attempts).map(own).collect();
        wanted.push((attempts + 1, None));
        assert_eq!(stand.errors(id).await, wanted);
    }
}

async fn an_attempt_under_way_that_fails_is_kept_and_the_delivery_stays_stopped(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    for (id, second, attempts, end) in
        [("a", 1, 0, Status::Retrying), ("b", 2, 1, Status::Retrying), ("c", 3, 1, Status::Failed), ("d", 4, 0, Status::Failed)]
    {
        let event = event(id, second);
        let status = if attempts == 0 { Status::Pending } else { Status::Retrying };
        let id = stand.recorded(&event, endpoint, status, attempts).await;
        stand.stop(&[endpoint], &[], 9).await;
        stand.step(attempts, state(&event, endpoint, end, attempts + 1)).await;
        let view = stand.view(id).await;
        assert_eq!((view.status, view.attempt_count, view.next_retry_at), (Status::Failed, attempts + 1, None));
        assert_eq!((view.error_message.as_deref(), view.response_status), (Some(REASON), Some(500)));
        assert_eq!(stand.errors(id).await, (1..=attempts + 1).map(own).collect::<Vec<_>>());
    }
}

async fn a_stopped_delivery_takes_no_step_without_an_attempt_and_none_twice(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let event = event("a", 1);
    let id = stand.recorded(&event, endpoint, Status::Retrying, 1).await;
    stand.stop(&[endpoint], &[], 9).await;
    let parked = DeliveryState { last: None, ..state(&event, endpoint, Status::Retrying, 1) };
    assert!(!stand.step(1, parked).await);
    assert!(stand.step(1, state(&event, endpoint, Status::Delivered, 2)).await);
    assert!(!stand.step(1, state(&event, endpoint, Status::Retrying, 2)).await);
    assert!(!stand.step(2, state(&event, endpoint, Status::Failed, 3)).await);
    assert_eq!(stand.errors(id).await, [own(1), (2, None)]);
}

async fn a_delivery_that_failed_with_its_attempt_takes_no_further_one(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let event = event("a", 1);
    stand.recorded(&event, endpoint, Status::Failed, 1).await;
    assert!(!stand.step(1, state(&event, endpoint, Status::Delivered, 2)).await);
}

async fn an_attempt_and_what_stopped_the_delivery_are_both_kept(stand: Stand) {
    let endpoint = stand.disabled("n").await;
    let stopped = |event: &_, attempts| DeliveryState { reason: Some(REASON.into()), ..state(event, endpoint, Status::Failed, attempts) };
    let (first, later) = (event("a", 1), event("b", 2));
    let first_id = stopped(&first, 1).id;
    stand.route(&first, vec![stopped(&first, 1)]).await;
    let later_id = stand.recorded(&later, endpoint, Status::Retrying, 1).await;
    assert!(stand.step(1, stopped(&later, 2)).await);
    for (id, attempts) in [(first_id, 1), (later_id, 2)] {
        let view = stand.view(id).await;
        assert_eq!((view.status, view.error_message.as_deref()), (Status::Failed, Some(REASON)));
        assert_eq!(stand.errors(id).await, (1..=attempts).map(own).collect::<Vec<_>>());
    }
}
