//! The schedule: `claim_due`, `schedule_missing`, and what settles a delivery.

use std::time::Duration;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::delivery::DeliveryId;
use posthaste::ports::{Due, Settlement};

use super::fixtures::{LEASE, Stand, at, ids};
use super::for_both_backends;
use crate::harness::{LONG, eventually};

for_both_backends! {
    due_deliveries_are_leased_oldest_first_and_up_to_max
    next_is_when_another_becomes_due_and_none_when_nothing_waits
    a_delivery_that_is_not_settled_within_its_lease_becomes_due_again
    a_renewed_delivery_does_not_become_due
    a_delivery_settled_for_the_end_of_a_lease_can_be_renewed
    a_delivery_on_the_schedule_keeps_its_time_when_it_is_missing_no_more
    a_settled_time_replaces_an_earlier_one
    many_callers_lease_each_delivery_once
}

fn far() -> Timestamp {
    // Whole milliseconds come back from every backend as they were.
    let hour = clock::after(clock::now(), Duration::from_secs(3600));
    clock::from_unix_seconds(clock::unix_seconds(hour).floor())
}

async fn schedule(stand: &Stand, scheduled: &[(DeliveryId, Timestamp)]) {
    stand.settle(Settlement { scheduled: scheduled.to_vec(), ..Settlement::default() }).await;
}

async fn claim(stand: &Stand, max: usize) -> Due {
    stand.queue.claim_due(max).await.expect("claimed")
}

async fn due_deliveries_are_leased_oldest_first_and_up_to_max(stand: Stand) {
    let ids = ids(4);
    schedule(&stand, &[(ids[0], at(30)), (ids[1], at(10)), (ids[2], at(20)), (ids[3], far())]).await;
    assert_eq!(claim(&stand, 2).await.ids, [ids[1], ids[2]]);
    assert_eq!(claim(&stand, 2).await.ids, [ids[0]]);
    assert_eq!(claim(&stand, 2).await.ids, []);
}

async fn next_is_when_another_becomes_due_and_none_when_nothing_waits(stand: Stand) {
    assert_eq!(claim(&stand, 9).await, Due::default());
    let (ids, far) = (ids(3), far());
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20)), (ids[2], far)]).await;
    assert_eq!(claim(&stand, 1).await.next, Some(at(20)));
    stand.settle(Settlement { unscheduled: vec![ids[0], ids[1]], ..Settlement::default() }).await;
    assert_eq!(claim(&stand, 9).await, Due { ids: vec![], next: Some(far) });
}

async fn a_delivery_that_is_not_settled_within_its_lease_becomes_due_again(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20))]).await;
    assert_eq!(claim(&stand, 9).await.ids, ids);
    stand.settle(Settlement { unscheduled: vec![ids[1]], ..Settlement::default() }).await;
    let again = eventually(LONG, async || Some(claim(&stand, 9).await.ids).filter(|ids| !ids.is_empty())).await;
    assert_eq!(again, [ids[0]]);
}

async fn a_renewed_delivery_does_not_become_due(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20))]).await;
    assert_eq!(claim(&stand, 9).await.ids, ids);
    let again = eventually(LONG, async || {
        stand.queue.renew(&[], &ids[..1]).await.expect("renewed");
        Some(claim(&stand, 9).await.ids).filter(|ids| !ids.is_empty())
    })
    .await;
    assert_eq!(again, [ids[1]], "the lease is {LEASE:?}");
}

/// As deliveries are that go on after their event was recorded.
async fn a_delivery_settled_for_the_end_of_a_lease_can_be_renewed(stand: Stand) {
    let ids = ids(2);
    let lease_end = clock::after(clock::now(), LEASE);
    schedule(&stand, &[(ids[0], lease_end), (ids[1], lease_end)]).await;
    let due = eventually(LONG, async || {
        stand.queue.renew(&[], &ids[..1]).await.expect("renewed");
        Some(claim(&stand, 9).await.ids).filter(|ids| !ids.is_empty())
    })
    .await;
    assert_eq!(due, [ids[1]]);
}

async fn a_delivery_on_the_schedule_keeps_its_time_when_it_is_missing_no_more(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], far())]).await;
    assert_eq!(stand.queue.schedule_missing(&[(ids[0], at(1)), (ids[1], at(2))]).await.expect("scheduled"), 1);
    assert_eq!(claim(&stand, 9).await.ids, [ids[1]]);
    assert_eq!(stand.queue.schedule_missing(&[(ids[1], at(1))]).await.expect("scheduled"), 0, "a leased one is on it");
    assert_eq!(claim(&stand, 9).await.ids, []);
}

async fn a_settled_time_replaces_an_earlier_one(stand: Stand) {
    let (ids, far) = (ids(1), far());
    schedule(&stand, &[(ids[0], far)]).await;
    schedule(&stand, &[(ids[0], at(1))]).await;
    assert_eq!(claim(&stand, 9).await.ids, ids);
    schedule(&stand, &[(ids[0], far)]).await;
    assert_eq!(claim(&stand, 9).await, Due { ids: vec![], next: Some(far) });
    assert_eq!(stand.queue.depth().await.expect("depth").deliveries, 1);
}

async fn many_callers_lease_each_delivery_once(stand: Stand) {
    let all = ids(200);
    schedule(&stand, &all.iter().map(|id| (*id, at(1))).collect::<Vec<_>>()).await;
    let callers = (0..8).map(|_| claim(&stand, 50));
    let leased = futures_util::future::join_all(callers).await;
    let mut leased: Vec<_> = leased.into_iter().flat_map(|due| due.ids).collect();
    leased.sort();
    assert_eq!(leased, all);
}
