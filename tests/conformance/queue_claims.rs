//! Leases of claims: `take_over`, `renew`, `reserve`.

use posthaste::model::event::EventKey;
use posthaste::ports::{Claim, ClaimId, Reserved, Settlement, TakenOver};

use super::fixtures::{LEASE, Stand, key, keys};
use super::for_all_queues;
use crate::harness::{LONG, eventually};

for_all_queues! {
    a_claim_whose_lease_ran_out_is_taken_over_with_its_time_and_items
    a_takeover_takes_up_to_max_claims
    a_claim_that_is_renewed_is_not_taken_over
    who_held_a_claim_before_can_no_longer_settle_it
    a_settled_claim_is_not_taken_over
    an_event_that_a_living_claim_has_reserved_cannot_be_reserved_by_another
    reserving_again_for_the_same_claim_succeeds
    a_claim_that_was_taken_over_reserves_nothing
    the_reservation_of_a_settled_claim_does_not_count
    a_released_event_can_be_reserved
    renewing_a_claim_that_is_not_held_is_passed_over
}

async fn two_claims(stand: &Stand) -> (Claim<EventKey>, Claim<EventKey>) {
    stand.offer(&["a", "b"]).await;
    (stand.claim(1).await, stand.claim(1).await)
}

async fn take_over(stand: &Stand, max: usize) -> Vec<Claim<EventKey>> {
    eventually(LONG, async || {
        let taken = stand.queue.take_over(max).await.expect("asked");
        (!taken.is_empty()).then_some(taken)
    })
    .await
    .into_iter()
    .map(|taken| match taken {
        TakenOver::Accepted(claim) => claim,
        TakenOver::Entries(claim) => panic!("nobody pushed {claim:?}"),
    })
    .collect()
}

async fn reserve(stand: &Stand, claim: &ClaimId, ids: &[&str]) -> Vec<bool> {
    let reserved = stand.queue.reserve(claim, &keys(ids)).await.expect("reserved");
    assert!(!reserved.contains(&Reserved::Unknown), "nothing is away");
    reserved.into_iter().map(|reserved| reserved == Reserved::Ours).collect()
}

fn settled(claim: &ClaimId) -> Settlement {
    Settlement { claims: vec![claim.clone()], ..Settlement::default() }
}

async fn a_claim_whose_lease_ran_out_is_taken_over_with_its_time_and_items(stand: Stand) {
    stand.offer(&["a", "b"]).await;
    let first = stand.claim(9).await;
    let taken = take_over(&stand, 9).await;
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].claimed_at, &taken[0].items), (first.claimed_at, &first.items));
    let time_and_kind = |id: &ClaimId| id.0.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned);
    assert_eq!(time_and_kind(&taken[0].id), time_and_kind(&first.id));
    assert_ne!(taken[0].id, first.id);
}

async fn a_takeover_takes_up_to_max_claims(stand: Stand) {
    let (one, other) = two_claims(&stand).await;
    tokio::time::sleep(LEASE * 2).await;
    let (first, second) = (take_over(&stand, 1).await, take_over(&stand, 1).await);
    let mut items = [first, second].concat().into_iter().flat_map(|claim| claim.items).collect::<Vec<_>>();
    items.sort();
    let mut claimed = [one.items, other.items].concat();
    claimed.sort();
    assert_eq!(items, claimed);
}

async fn a_claim_that_is_renewed_is_not_taken_over(stand: Stand) {
    let (kept, lost) = two_claims(&stand).await;
    let taken = eventually(LONG, async || {
        stand.queue.renew(std::slice::from_ref(&kept.id), &[]).await.expect("renewed");
        let taken = stand.queue.take_over(9).await.expect("asked");
        (!taken.is_empty()).then_some(taken)
    })
    .await;
    assert!(matches!(&taken[..], [TakenOver::Accepted(claim)] if claim.items == lost.items), "{taken:?}");
}

async fn who_held_a_claim_before_can_no_longer_settle_it(stand: Stand) {
    stand.offer(&["a"]).await;
    let late = stand.claim(1).await;
    let taken = take_over(&stand, 9).await;
    stand.settle(settled(&late.id)).await;
    let again = take_over(&stand, 9).await;
    assert_eq!(again[0].items, taken[0].items);
}

async fn a_settled_claim_is_not_taken_over(stand: Stand) {
    let (done, left) = two_claims(&stand).await;
    stand.settle(settled(&done.id)).await;
    let taken = take_over(&stand, 9).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].items, left.items);
}

async fn an_event_that_a_living_claim_has_reserved_cannot_be_reserved_by_another(stand: Stand) {
    let (one, other) = two_claims(&stand).await;
    assert_eq!(reserve(&stand, &one.id, &["x"]).await, [true]);
    assert_eq!(reserve(&stand, &other.id, &["y", "x", "z"]).await, [true, false, true]);
}

async fn reserving_again_for_the_same_claim_succeeds(stand: Stand) {
    let (one, _) = two_claims(&stand).await;
    assert_eq!(reserve(&stand, &one.id, &["x"]).await, [true]);
    assert_eq!(reserve(&stand, &one.id, &["x", "x"]).await, [true, true]);
}

async fn a_claim_that_was_taken_over_reserves_nothing(stand: Stand) {
    stand.offer(&["a"]).await;
    let first = stand.claim(1).await;
    let taken = take_over(&stand, 1).await;
    assert_eq!(reserve(&stand, &first.id, &["a"]).await, [false]);
    assert_eq!(reserve(&stand, &taken[0].id, &["a"]).await, [true]);
}

async fn the_reservation_of_a_settled_claim_does_not_count(stand: Stand) {
    let (one, other) = two_claims(&stand).await;
    assert_eq!(reserve(&stand, &one.id, &["x"]).await, [true]);
    stand.settle(settled(&one.id)).await;
    assert_eq!(reserve(&stand, &other.id, &["x"]).await, [true]);
}

async fn a_released_event_can_be_reserved(stand: Stand) {
    let (one, other) = two_claims(&stand).await;
    assert_eq!(reserve(&stand, &one.id, &["x", "y"]).await, [true, true]);
    stand.settle(Settlement { released: vec![key("x")], ..Settlement::default() }).await;
    assert_eq!(reserve(&stand, &other.id, &["x", "y"]).await, [true, false]);
}

async fn renewing_a_claim_that_is_not_held_is_passed_over(stand: Stand) {
    let nobodys = ClaimId("accepted:0:nobody".into());
    stand.queue.renew(&[nobodys], &[]).await.expect("passed over");
    assert_eq!(stand.queue.take_over(9).await.expect("looked"), []);
}
