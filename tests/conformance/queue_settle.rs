//! `settle`, `depth`, `oldest`, `parts_away` and `ping`.

use bytes::Bytes;
use posthaste::model::clock::Timestamp;
use posthaste::model::dead_letter::DeadLetter;
use posthaste::ports::{Depth, Oldest, Reserved, Settlement};

use super::fixtures::{Stand, at, ids, key};
use super::for_all_queues;
use crate::harness::{LONG, eventually};

for_all_queues! {
    a_settlement_does_all_that_it_says
    settling_twice_is_settling_once_but_for_dead_letters
    an_empty_settlement_changes_nothing
    the_depth_tells_what_waits
    the_oldest_is_what_has_waited_for_longest
    a_queue_that_works_answers_a_ping_and_no_part_of_it_is_away
}

fn dead(entry: &'static [u8]) -> DeadLetter {
    DeadLetter { reason: "not an event".into(), class: "not_json", at: at(1), entry: Bytes::from_static(entry) }
}

async fn depth(stand: &Stand) -> Depth {
    stand.queue.depth().await.expect("depth")
}

async fn a_settlement_does_all_that_it_says(stand: Stand) {
    stand.offer(&["a", "b"]).await;
    let (done, other, ids) = (stand.claim(1).await, stand.claim(1).await, ids(4));
    stand.queue.reserve(&other.id, &[key("x")]).await.expect("reserved");
    stand.settle(Settlement { scheduled: vec![(ids[0], at(1))], ..Settlement::default() }).await;
    let settlement = Settlement {
        claims: vec![done.id],
        released: vec![key("x")],
        scheduled: vec![(ids[1], at(2)), (ids[2], at(3))],
        unscheduled: vec![ids[0]],
        leased: vec![ids[3]],
        dead: vec![dead(b"\xff"), dead(b"nonsense")],
    };
    stand.settle(settlement).await;
    assert_eq!(depth(&stand).await, Depth { events: 0, deliveries: 3, dead_letters: 2 });
    let mut due = stand.queue.claim_due(9, true).await.expect("claimed").ids;
    due.sort();
    assert_eq!(due, ids[1..3]);
    stand.offer(&["c"]).await;
    let third = stand.claim(1).await;
    assert_eq!(stand.queue.reserve(&third.id, &[key("x")]).await.expect("reserved"), [Reserved::Ours]);
}

async fn settling_twice_is_settling_once_but_for_dead_letters(stand: Stand) {
    stand.offer(&["a"]).await;
    let (claim, ids) = (stand.claim(1).await, ids(1));
    let settlement =
        Settlement { claims: vec![claim.id], scheduled: vec![(ids[0], at(1))], dead: vec![dead(b"x")], ..Settlement::default() };
    stand.settle(settlement.clone()).await;
    stand.settle(settlement).await;
    assert_eq!(depth(&stand).await, Depth { events: 0, deliveries: 1, dead_letters: 2 });
}

async fn an_empty_settlement_changes_nothing(stand: Stand) {
    stand.settle(Settlement::default()).await;
    assert_eq!(depth(&stand).await, Depth::default());
}

async fn the_depth_tells_what_waits(stand: Stand) {
    assert_eq!(depth(&stand).await, Depth::default());
    stand.offer(&["a", "b", "c"]).await;
    let ids = ids(2);
    stand.settle(Settlement { scheduled: vec![(ids[0], at(1)), (ids[1], at(2))], ..Settlement::default() }).await;
    assert_eq!(depth(&stand).await, Depth { events: 3, deliveries: 2, dead_letters: 0 });
    let _held = (stand.claim(1).await, stand.claim(1).await);
    stand.queue.claim_due(1, true).await.expect("claimed");
    assert_eq!(depth(&stand).await, Depth { events: 1, deliveries: 2, dead_letters: 0 });
}

async fn the_oldest_is_what_has_waited_for_longest(stand: Stand) {
    // The bell of a shard that was empty takes the first event out for a moment, and whoever looks or claims then gets the next one.
    let becomes = async |event: Option<Timestamp>, due: Option<Timestamp>| {
        let oldest = async || stand.queue.oldest().await.expect("looked");
        eventually(LONG, async || (oldest().await == Oldest { event, due }).then_some(())).await;
    };
    becomes(None, None).await;
    stand.offer(&["a", "b", "c"]).await;
    let ids = ids(3);
    stand.settle(Settlement { scheduled: vec![(ids[0], at(7)), (ids[1], at(3)), (ids[2], at(5))], ..Settlement::default() }).await;
    becomes(Some(at(0)), Some(at(3))).await;
    let held = stand.claim(1).await;
    assert_eq!(stand.queue.claim_due(1, true).await.expect("claimed").ids, [ids[1]]);
    let left = if held.items == [key("a")] { at(1) } else { at(0) };
    becomes(Some(left), Some(at(5))).await;
    let mut rest = Vec::new();
    while rest.len() < 2 {
        rest.extend(stand.queue.claim_accepted(2, LONG).await.expect("claimed").expect("two are left").items);
    }
    stand.settle(Settlement { unscheduled: ids, ..Settlement::default() }).await;
    becomes(None, None).await;
}

async fn a_queue_that_works_answers_a_ping_and_no_part_of_it_is_away(stand: Stand) {
    stand.queue.ping().await.expect("it works");
    stand.records.ping().await.expect("it works");
    assert_eq!(stand.queue.parts_away(), 0);
}
