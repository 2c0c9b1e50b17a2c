//! The slots and lines of rate limits: `slots`.

use std::time::Duration;

use futures_util::future::join_all;
use posthaste::ports::{Ask, Given};

use super::fixtures::{SHORT, Stand};
use super::for_all_queues;
use crate::harness::LONG;

for_all_queues! {
    slots_are_every_apart_beginning_now_and_up_to_count
    no_slot_is_further_off_than_ahead
    callers_share_the_slots_of_an_endpoint
    a_slot_that_is_not_used_is_lost
    a_new_every_counts_from_the_last_slot_on
    answers_are_in_the_order_of_the_asks
    slots_may_be_a_microsecond_apart_and_no_nearer
    what_gets_no_slot_gets_a_place_after_the_last_slot_and_the_last_place
    newcomers_get_no_slot_while_the_line_is_longer_than_ahead
    no_place_is_further_off_than_line_and_the_rest_gets_neither
    a_place_reserves_no_slot
    a_new_every_counts_from_the_last_place_on
    a_place_that_is_over_is_forgotten
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn ask(endpoint_id: i64, every: Duration, count: u32, ahead: Duration) -> Ask {
    Ask { endpoint_id, every, count, ahead, line: Duration::ZERO, newcomers: true }
}

async fn slots(stand: &Stand, one: Ask) -> Vec<Duration> {
    let mut answers = stand.queue.slots(&[one]).await.expect("asked");
    assert_eq!(answers.len(), 1);
    let given = answers.remove(0);
    assert_eq!(given.places, [Duration::ZERO; 0], "the line has no room");
    given.slots
}

/// Asks of one endpoint whose slots are an hour apart and may be three hours off, and its line ten.
async fn hourly(stand: &Stand, count: u32, newcomers: bool) -> Given {
    in_line(stand, HOUR, count, newcomers).await
}

async fn in_line(stand: &Stand, every: Duration, count: u32, newcomers: bool) -> Given {
    let ask = Ask { endpoint_id: 7, every, count, ahead: 3 * HOUR, line: 10 * HOUR, newcomers };
    stand.queue.slots(&[ask]).await.expect("asked").remove(0)
}

#[track_caller]
fn assert_hours(given: &Given, slots: &[u32], places: &[u32]) {
    let hours = |all: &[u32]| all.iter().map(|hours| *hours * HOUR).collect::<Vec<_>>();
    assert_near(&given.slots, &hours(slots));
    assert_near(&given.places, &hours(places));
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
    let given = |slots: &[Duration]| Given { slots: slots.to_vec(), places: vec![] };
    let expected: Vec<_> = ids().map(|id| given(&[Duration::ZERO][..usize::from(id % 2 == 0)])).collect();
    assert_eq!(stand.queue.slots(&asks).await.unwrap(), expected);
    let twice = [ask(1, HOUR, 1, DAY), ask(1, HOUR, 1, DAY)];
    assert_eq!(stand.queue.slots(&twice).await.unwrap(), [given(&[Duration::ZERO]), given(&[HOUR])]);
    assert_eq!(stand.queue.slots(&[]).await.unwrap(), Vec::<Given>::new());
}

async fn slots_may_be_a_microsecond_apart_and_no_nearer(stand: Stand) {
    let micros = |all: [u64; 3]| all.map(Duration::from_micros);
    assert_eq!(slots(&stand, ask(7, Duration::ZERO, 3, DAY)).await, micros([0, 1, 2]));
    assert_eq!(slots(&stand, ask(8, Duration::from_nanos(1_001), 3, DAY)).await, micros([0, 2, 4]));
}

async fn what_gets_no_slot_gets_a_place_after_the_last_slot_and_the_last_place(stand: Stand) {
    assert_hours(&hourly(&stand, 6, true).await, &[0, 1, 2, 3], &[4, 5]);
    assert_hours(&hourly(&stand, 2, true).await, &[], &[6, 7]);
    assert_hours(&hourly(&stand, 0, true).await, &[], &[]);
    assert_hours(&hourly(&stand, 1, false).await, &[], &[8]);
}

async fn newcomers_get_no_slot_while_the_line_is_longer_than_ahead(stand: Stand) {
    let ask = |count, ahead, newcomers| Ask { endpoint_id: 7, every: HOUR, count, ahead, line: 5 * HOUR, newcomers };
    let slots = async |ask| stand.queue.slots(&[ask]).await.expect("asked").remove(0);
    assert_hours(&slots(ask(3, Duration::ZERO, true)).await, &[0], &[1, 2]);
    assert_hours(&slots(ask(1, HOUR, true)).await, &[], &[3]);
    assert_hours(&slots(ask(1, HOUR, false)).await, &[1], &[]);
    assert_hours(&slots(ask(2, 3 * HOUR, true)).await, &[2, 3], &[]);
}

async fn no_place_is_further_off_than_line_and_the_rest_gets_neither(stand: Stand) {
    assert_hours(&hourly(&stand, 100, true).await, &[0, 1, 2, 3], &[4, 5, 6, 7, 8, 9, 10]);
    assert_hours(&hourly(&stand, 100, true).await, &[], &[]);
    assert_hours(&hourly(&stand, 100, false).await, &[], &[]);
}

async fn a_place_reserves_no_slot(stand: Stand) {
    let ask = |count, ahead, newcomers| Ask { endpoint_id: 7, every: HOUR, count, ahead, line: DAY, newcomers };
    let slots = async |ask| stand.queue.slots(&[ask]).await.expect("asked").remove(0);
    assert_hours(&slots(ask(3, Duration::ZERO, true)).await, &[0], &[1, 2]);
    assert_hours(&slots(ask(2, 2 * HOUR, false)).await, &[1, 2], &[]);
}

async fn a_new_every_counts_from_the_last_place_on(stand: Stand) {
    assert_hours(&hourly(&stand, 5, true).await, &[0, 1, 2, 3], &[4]);
    assert_hours(&in_line(&stand, 2 * HOUR, 2, true).await, &[], &[6, 8]);
    assert_hours(&hourly(&stand, 1, true).await, &[], &[9]);
}

async fn a_place_that_is_over_is_forgotten(stand: Stand) {
    let every = SHORT / 10;
    let ask = Ask { endpoint_id: 7, every, count: 3, ahead: Duration::ZERO, line: DAY, newcomers: true };
    let given = Given { slots: vec![Duration::ZERO], places: vec![every, 2 * every] };
    assert_eq!(stand.queue.slots(&[ask]).await.unwrap(), [given]);
    // Until the place and the one after it are over.
    tokio::time::sleep(SHORT).await;
    assert_hours(&hourly(&stand, 5, true).await, &[0, 1, 2, 3], &[4]);
}
