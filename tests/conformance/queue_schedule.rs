//! The schedule: `claim_due`, `schedule_missing`, and what settles a delivery.

use std::time::Duration;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::delivery::DeliveryId;
use posthaste::ports::{Due, Settlement};

use super::fixtures::{LEASE, Stand, at, ids};
use super::for_all_queues;
use crate::harness::{LONG, eventually};

/// Of shards each has an order of its own.
mod in_order {
    use super::due_deliveries_are_leased_oldest_first_and_up_to_max;
    use crate::conformance::for_both_backends;

    for_both_backends! {
        due_deliveries_are_leased_oldest_first_and_up_to_max
    }
}

for_all_queues! {
    next_is_when_another_becomes_due_and_none_when_nothing_waits
    a_delivery_that_is_not_settled_within_its_lease_is_leased_anew_and_told_from_a_due_one
    a_renewed_delivery_does_not_become_due
    a_lease_that_ran_out_is_left_alone_where_nobody_asks_for_it
    a_settled_time_ends_a_lease
    a_delivery_that_is_settled_as_leased_is_not_due_until_its_lease_runs_out
    renewing_a_delivery_that_the_queue_knows_nothing_of_leases_it
    a_delivery_on_the_schedule_keeps_its_time_when_it_is_missing_no_more
    a_settled_time_replaces_an_earlier_one
    many_callers_lease_each_delivery_once
}

fn far() -> Timestamp {
    // Whole milliseconds come back from every backend as they were.
    let hour = clock::after(clock::now(), Duration::from_secs(3600));
    clock::from_unix_seconds(clock::unix_seconds(hour).floor())
}

fn sorted(mut ids: Vec<DeliveryId>) -> Vec<DeliveryId> {
    ids.sort();
    ids
}

async fn schedule(stand: &Stand, scheduled: &[(DeliveryId, Timestamp)]) {
    stand.settle(Settlement { scheduled: scheduled.to_vec(), ..Settlement::default() }).await;
}

async fn claim(stand: &Stand, max: usize) -> Due {
    stand.queue.claim_due(max, true).await.expect("claimed")
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
    assert_eq!(claim(&stand, 1).await.next, Some(Duration::ZERO));
    stand.settle(Settlement { unscheduled: vec![ids[0], ids[1]], ..Settlement::default() }).await;
    assert_next(&claim(&stand, 9).await, far);
}

/// Nothing is due, and the next is so at that time.
fn assert_next(due: &Due, at: Timestamp) {
    let wait = (at - clock::now()).to_std().expect("in the future");
    let next = due.next.expect("something waits");
    assert!(next.abs_diff(wait) < Duration::from_secs(5), "{next:?} and not {wait:?}");
    assert_eq!((&due.ids, &due.lapsed), (&vec![], &vec![]));
}

/// The first deliveries whose lease ran out.
async fn lapsed(stand: &Stand) -> Vec<DeliveryId> {
    eventually(LONG, async || {
        let due = claim(stand, 9).await;
        assert_eq!(due.ids, []);
        Some(due.lapsed).filter(|ids| !ids.is_empty())
    })
    .await
}

async fn a_delivery_that_is_not_settled_within_its_lease_is_leased_anew_and_told_from_a_due_one(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20))]).await;
    let due = claim(&stand, 9).await;
    assert_eq!((sorted(due.ids), due.lapsed), (ids.clone(), vec![]));
    stand.settle(Settlement { unscheduled: vec![ids[1]], ..Settlement::default() }).await;
    assert_eq!(lapsed(&stand).await, [ids[0]]);
    assert_eq!(lapsed(&stand).await, [ids[0]], "again and again");
}

async fn a_lease_that_ran_out_is_left_alone_where_nobody_asks_for_it(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10))]).await;
    assert_eq!(claim(&stand, 9).await.ids, ids[..1]);
    schedule(&stand, &[(ids[1], far())]).await;
    eventually(LONG, async || {
        let due = stand.queue.claim_due(9, false).await.expect("claimed");
        assert_eq!((due.ids, due.lapsed), (vec![], vec![]));
        (due.next == Some(Duration::ZERO)).then_some(())
    })
    .await;
    assert_eq!(claim(&stand, 9).await.lapsed, ids[..1]);
}

async fn a_settled_time_ends_a_lease(stand: Stand) {
    let (ids, far) = (ids(2), far());
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20))]).await;
    assert_eq!(sorted(claim(&stand, 9).await.ids), ids);
    schedule(&stand, &[(ids[0], far)]).await;
    assert_eq!(lapsed(&stand).await, [ids[1]]);
    stand.settle(Settlement { unscheduled: vec![ids[1]], ..Settlement::default() }).await;
    assert_next(&claim(&stand, 9).await, far);
}

async fn a_delivery_that_is_settled_as_leased_is_not_due_until_its_lease_runs_out(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10))]).await;
    stand.settle(Settlement { leased: ids.clone(), ..Settlement::default() }).await;
    assert_eq!(claim(&stand, 9).await.ids, []);
    assert_eq!(stand.queue.schedule_missing(&[(ids[0], at(1)), (ids[1], at(1))]).await.expect("scheduled"), 0);
    let mut both = lapsed(&stand).await;
    if both.len() == 1 {
        both.extend(lapsed(&stand).await);
    }
    assert_eq!(sorted(both), ids);
    assert_eq!(stand.queue.depth().await.expect("depth").deliveries, 2);
}

async fn renewing_a_delivery_that_the_queue_knows_nothing_of_leases_it(stand: Stand) {
    let (ids, far) = (ids(2), far());
    schedule(&stand, &[(ids[1], far)]).await;
    stand.queue.renew(&[], &ids).await.expect("renewed");
    assert_eq!(stand.queue.schedule_missing(&[(ids[0], at(1))]).await.expect("scheduled"), 0);
    assert_eq!(lapsed(&stand).await, [ids[0]]);
    stand.settle(Settlement { unscheduled: vec![ids[0]], ..Settlement::default() }).await;
    assert_next(&claim(&stand, 9).await, far);
}

async fn a_renewed_delivery_does_not_become_due(stand: Stand) {
    let ids = ids(2);
    schedule(&stand, &[(ids[0], at(10)), (ids[1], at(20))]).await;
    assert_eq!(sorted(claim(&stand, 9).await.ids), ids);
    let again = eventually(LONG, async || {
        stand.queue.renew(&[], &ids[..1]).await.expect("renewed");
        Some(claim(&stand, 9).await.lapsed).filter(|ids| !ids.is_empty())
    })
    .await;
    assert_eq!(again, [ids[1]], "the lease is {LEASE:?}");
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
    assert_next(&claim(&stand, 9).await, far);
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
