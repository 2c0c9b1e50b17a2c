//! Events on offer: `offer` and `claim_accepted`.

use std::time::{Duration, Instant};

use super::fixtures::{LEASE, NO_WAIT, SHORT, Stand, at, key, keys};
use super::for_all_queues;

/// Of shards each has an order of its own.
mod in_order {
    use super::accepted_events_are_claimed_oldest_first_and_up_to_max;
    use crate::conformance::for_both_backends;

    for_both_backends! {
        accepted_events_are_claimed_oldest_first_and_up_to_max
    }
}

for_all_queues! {
    a_claim_waits_for_nothing_when_there_is_none_and_no_longer_than_asked
    a_waiting_claim_is_answered_the_moment_an_event_is_offered
    what_is_on_offer_already_is_passed_over
    what_is_claimed_is_still_on_offer_to_nobody
    many_callers_claim_each_event_once
    a_claim_names_the_time_it_was_made
}

async fn accepted_events_are_claimed_oldest_first_and_up_to_max(stand: Stand) {
    assert_eq!(stand.offer(&["a", "b", "c"]).await, 3);
    assert_eq!(stand.claim(2).await.items, keys(&["a", "b"]));
    assert_eq!(stand.claim(2).await.items, keys(&["c"]));
    assert!(stand.nothing_on_offer().await);
}

async fn a_claim_waits_for_nothing_when_there_is_none_and_no_longer_than_asked(stand: Stand) {
    assert!(stand.queue.claim_accepted(1, NO_WAIT).await.expect("claimed").is_none());
    let started = Instant::now();
    assert!(stand.queue.claim_accepted(1, SHORT).await.expect("claimed").is_none());
    assert!(started.elapsed() >= SHORT - Duration::from_millis(5));
}

async fn a_waiting_claim_is_answered_the_moment_an_event_is_offered(stand: Stand) {
    let started = Instant::now();
    let offer = async {
        // The claim should be waiting by then; the sentence holds all the same if it is not.
        tokio::time::sleep(SHORT).await;
        stand.offer(&["a"]).await
    };
    let (claim, _) = tokio::join!(stand.queue.claim_accepted(9, Duration::from_secs(20)), offer);
    assert_eq!(claim.expect("claimed").expect("offered").items, keys(&["a"]));
    assert!(started.elapsed() < Duration::from_secs(5), "it polled, or slept: {:?}", started.elapsed());
}

async fn what_is_on_offer_already_is_passed_over(stand: Stand) {
    assert_eq!(stand.offer(&["a"]).await, 1);
    assert_eq!(stand.offer(&["a", "b"]).await, 1);
    let mut items = [stand.claim(1).await.items, stand.claim(1).await.items].concat();
    items.sort();
    assert_eq!(items, keys(&["a", "b"]));
    assert!(stand.nothing_on_offer().await);
}

async fn what_is_claimed_is_still_on_offer_to_nobody(stand: Stand) {
    stand.offer(&["a"]).await;
    let _held = stand.claim(9).await;
    assert!(stand.nothing_on_offer().await);
    assert!(stand.queue.take_over(9).await.expect("asked").is_empty(), "the lease of {LEASE:?} has not run out");
}

async fn many_callers_claim_each_event_once(stand: Stand) {
    let offered: Vec<_> = (0..200).map(|number| (key(&format!("e{number:03}")), at(number))).collect();
    assert_eq!(stand.queue.offer(&offered).await.expect("offered"), 200);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let queue = std::sync::Arc::clone(&stand.queue);
        callers.spawn(async move {
            let mut mine = Vec::new();
            while let Some(claim) = queue.claim_accepted(7, NO_WAIT).await.expect("claimed") {
                mine.extend(claim.items);
            }
            mine
        });
    }
    let mut all: Vec<_> = callers.join_all().await.concat();
    all.sort();
    assert_eq!(all, offered.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
}

async fn a_claim_names_the_time_it_was_made(stand: Stand) {
    let before = posthaste::model::clock::now() - Duration::from_millis(2);
    stand.offer(&["a"]).await;
    let claim = stand.claim(1).await;
    assert!(before <= claim.claimed_at && claim.claimed_at <= posthaste::model::clock::now());
    assert_eq!(claim.claimed_at.timestamp_subsec_micros() % 1000, 0);
}
