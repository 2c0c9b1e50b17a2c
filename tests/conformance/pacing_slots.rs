//! The slots of rate limits: `slots`.

use std::time::Duration;

use futures_util::future::join_all;
use posthaste::ports::Ask;

use super::fixtures::{SHORT, Stand};
use super::for_both_backends;
use crate::harness::LONG;

for_both_backends! {
    slots_are_every_apart_beginning_now_and_up_to_count
    no_slot_is_further_off_than_ahead
    callers_share_the_slots_of_an_endpoint
    a_slot_that_is_not_used_is_lost
    a_new_every_counts_from_the_last_slot_on
    answers_are_in_the_order_of_the_asks
    slots_may_be_a_microsecond_apart_and_no_nearer
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn ask(endpoint_id: i64, every: Duration, count: u32, ahead: Duration) -> Ask {
    Ask { endpoint_id, every, count, ahead }
}

async fn slots(stand: &Stand, one: Ask) -> Vec<Duration> {
    let mut answers = stand.queue.slots(&[one]).await.expect("asked");
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Slots that were asked for a moment ago are nearer by that moment.
#[track_caller]
fn assert_near(found: &[Duration], expected: &[Duration]) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(slot, about)| slot <= about && *slot + LONG > *about);
    assert!(near, "{found:?} is not about {expected:?}");
}

async fn slots_are_every_apart_beginning_now_and_up_to_count(stand: Stand) {
    assert_eq!(slots(&stand, ask(7, HOUR, 3, DAY)).await, [Duration::ZERO, HOUR, 2 * HOUR]);
    assert_near(&slots(&stand, ask(7, HOUR, 2, DAY)).await, &[3 * HOUR, 4 * HOUR]);
    assert_near(&slots(&stand, ask(7, HOUR, 0, DAY)).await, &[]);
    assert_near(&slots(&stand, ask(7, HOUR, 1, DAY)).await, &[5 * HOUR]);
}

async fn no_slot_is_further_off_than_ahead(stand: Stand) {
    let ahead = HOUR + HOUR / 2;
    assert_eq!(slots(&stand, ask(7, HOUR, 9, ahead)).await, [Duration::ZERO, HOUR]);
    assert_eq!(slots(&stand, ask(7, HOUR, 9, ahead)).await, [Duration::ZERO; 0]);
    assert_near(&slots(&stand, ask(7, HOUR, 9, 2 * HOUR)).await, &[2 * HOUR]);
    assert_eq!(slots(&stand, ask(8, HOUR, 9, Duration::ZERO)).await, [Duration::ZERO]);
}

async fn callers_share_the_slots_of_an_endpoint(stand: Stand) {
    let all = join_all((0..8).map(|_| slots(&stand, ask(7, HOUR, 3, 100 * DAY)))).await;
    let mut all = all.concat();
    all.sort_unstable();
    assert_near(&all, &(0..24).map(|number| number * HOUR).collect::<Vec<_>>());
}

async fn a_slot_that_is_not_used_is_lost(stand: Stand) {
    let every = SHORT / 10;
    assert_eq!(slots(&stand, ask(7, every, 2, DAY)).await, [Duration::ZERO, every]);
    // Long enough for many slots.
    tokio::time::sleep(SHORT).await;
    assert_eq!(slots(&stand, ask(7, HOUR, 2, DAY)).await, [Duration::ZERO, HOUR]);
}

async fn a_new_every_counts_from_the_last_slot_on(stand: Stand) {
    assert_eq!(slots(&stand, ask(7, DAY, 1, DAY)).await, [Duration::ZERO]);
    assert_near(&slots(&stand, ask(7, HOUR, 2, DAY)).await, &[HOUR, 2 * HOUR]);
    assert_near(&slots(&stand, ask(7, DAY, 2, 3 * DAY)).await, &[2 * HOUR + DAY, 2 * HOUR + 2 * DAY]);
}

async fn answers_are_in_the_order_of_the_asks(stand: Stand) {
    let ids = || (0..2_500_i64).rev();
    let asks: Vec<_> = ids().map(|id| ask(id, HOUR, u32::from(id % 2 == 0), DAY)).collect();
    let expected: Vec<_> = ids().map(|id| if id % 2 == 0 { vec![Duration::ZERO] } else { vec![] }).collect();
    assert_eq!(stand.queue.slots(&asks).await.unwrap(), expected);
    let twice = [ask(1, HOUR, 1, DAY), ask(1, HOUR, 1, DAY)];
    assert_eq!(stand.queue.slots(&twice).await.unwrap(), [[Duration::ZERO], [HOUR]]);
    assert_eq!(stand.queue.slots(&[]).await.unwrap(), Vec::<Vec<Duration>>::new());
}

async fn slots_may_be_a_microsecond_apart_and_no_nearer(stand: Stand) {
    let micros = |all: [u64; 3]| all.map(Duration::from_micros);
    assert_eq!(slots(&stand, ask(7, Duration::ZERO, 3, DAY)).await, micros([0, 1, 2]));
    assert_eq!(slots(&stand, ask(8, Duration::from_nanos(1_001), 3, DAY)).await, micros([0, 2, 4]));
}
