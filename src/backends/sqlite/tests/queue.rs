use std::time::{Duration, Instant};

use super::{LONG, Place, event, key};
use crate::backends::sqlite::Sqlite;
use crate::model::clock;
use crate::model::delivery::DeliveryId;
use crate::ports::{Queue, Reserved, Settlement, TakenOver};

const SHORT: Duration = Duration::from_millis(60);

async fn offer(sqlite: &Sqlite, id: &str) -> u64 {
    sqlite.offer(&[(key(id), clock::now())]).await.expect("offers")
}

#[tokio::test]
async fn a_waiting_worker_wakes_the_moment_that_something_is_offered() {
    let place = Place::new();
    let sqlite = place.open();
    let offered = async {
        tokio::task::yield_now().await;
        offer(&sqlite, "a").await;
        Instant::now()
    };
    let claimed = async {
        let claim = sqlite.claim_accepted(9, LONG).await.expect("claims").expect("one");
        (claim, Instant::now())
    };
    let ((claim, woke), at) = tokio::join!(claimed, offered);
    assert_eq!(claim.items, [key("a")]);
    assert!(woke - at < Duration::from_millis(50), "{:?}", woke - at);
}

#[tokio::test]
async fn without_an_offer_a_claim_waits_as_long_as_it_was_told() {
    let place = Place::new();
    let sqlite = place.open();
    let started = Instant::now();
    assert_eq!(sqlite.claim_accepted(9, SHORT).await.expect("waits"), None);
    assert_eq!(sqlite.claim_entries(9, SHORT).await.expect("waits"), None);
    assert!(started.elapsed() >= 2 * SHORT);
    offer(&sqlite, "a").await;
    assert!(sqlite.claim_accepted(9, Duration::ZERO).await.expect("claims").is_some());
}

#[tokio::test]
async fn every_offer_reaches_one_of_many_waiting_workers_and_only_one() {
    let place = Place::new();
    let sqlite = place.open();
    let workers = (0..8).map(|_| sqlite.claim_accepted(1, LONG));
    let offers = async {
        for number in 0..8 {
            tokio::task::yield_now().await;
            offer(&sqlite, &number.to_string()).await;
        }
    };
    let (claims, ()) = tokio::join!(futures_util::future::join_all(workers), offers);
    let mut ids: Vec<_> = claims.into_iter().map(|claim| claim.expect("claims").expect("one").items[0].id.to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn leases_run_out_in_a_living_process_too() {
    let place = Place::new();
    let sqlite = Sqlite::open(&place.path, SHORT).expect("opens");
    let id = DeliveryId::of(clock::now(), &key("a"), 1);
    offer(&sqlite, "a").await;
    sqlite.schedule_missing(&[(id, clock::now())]).await.expect("schedules");
    let claim = sqlite.claim_accepted(9, LONG).await.expect("claims").expect("one");
    let due = sqlite.claim_due(9, true).await.expect("claims");
    assert_eq!(due.ids, [id]);
    assert_eq!(sqlite.take_over(9).await.expect("looks"), []);
    let lease_ends = sqlite.claim_due(9, true).await.expect("looks").next.expect("leased");
    tokio::time::sleep(lease_ends).await;
    assert_eq!(sqlite.claim_due(9, true).await.expect("claims").lapsed, [id]);
    let taken = sqlite.take_over(9).await.expect("takes over");
    let [TakenOver::Accepted(taken)] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!((&taken.items, taken.claimed_at), (&claim.items, claim.claimed_at));
    sqlite.settle(&Settlement { claims: vec![claim.id], ..Settlement::default() }).await.expect("settles nothing");
    assert_eq!(sqlite.reserve(&taken.id, &[event("a").key.clone()]).await.expect("reserves"), [Reserved::Ours]);
}

#[tokio::test]
async fn a_parked_delivery_is_due_at_its_new_time_without_a_record() {
    let place = Place::new();
    let sqlite = place.open();
    let id = DeliveryId::of(clock::now(), &key("a"), 1);
    let later = clock::after(clock::now(), LONG);
    sqlite.schedule_missing(&[(id, clock::now())]).await.expect("schedules");
    assert_eq!(sqlite.claim_due(9, true).await.expect("claims").ids, [id]);
    sqlite.settle(&Settlement { scheduled: vec![(id, later)], ..Settlement::default() }).await.expect("settles");
    assert_eq!(sqlite.claim_due(9, true).await.expect("claims").next.map(|wait| wait > LONG / 2), Some(true));
    sqlite.settle(&Settlement { unscheduled: vec![id], ..Settlement::default() }).await.expect("settles");
    assert_eq!(sqlite.depth().await.expect("counts").deliveries, 0);
}
