//! Endpoints that are left alone: `pause`, `probe`, `recovered`, `pauses`.

use std::time::Duration;

use futures_util::future::join_all;
use posthaste::ports::{NewPause, Pause, Pauses, Why};

use super::fixtures::{SHORT, Stand};
use super::for_all_queues;
use crate::harness::{LONG, eventually};

for_all_queues! {
    an_endpoint_that_was_well_is_paused_for_first
    an_endpoint_that_is_broken_again_after_its_pause_is_paused_for_twice_as_long_each_time
    no_pause_of_a_broken_endpoint_is_longer_than_max
    a_broken_endpoint_whose_pause_still_lasts_is_left_as_it_is
    an_endpoint_that_breaks_while_it_is_probed_is_paused_anew
    a_slowed_endpoint_is_paused_until_then_unless_it_is_for_longer_already
    an_endpoint_may_be_both_and_slowing_makes_nothing_broken_and_mends_nothing
    one_caller_probes_a_broken_endpoint_when_its_pause_is_over
    an_endpoint_that_is_not_broken_is_not_probed
    a_prober_that_died_holds_nothing_and_times_stays_what_it_is
    an_endpoint_that_recovered_is_broken_no_longer_and_stays_slowed
    times_starts_from_0_after_a_recovery
    what_changed_shows_since_every_earlier_revision_and_nothing_since_the_last
    what_changes_nothing_gives_no_new_revision
    nothing_is_paused_at_one_revision_however_that_came_about
    a_slowing_that_is_over_is_forgotten
    thousands_are_paused_and_shown_at_once
}

/// So long that no test sees its end, however slow the machine.
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn broken(endpoint_id: i64, first: Duration) -> NewPause {
    NewPause::Broken { endpoint_id, first, max: HOUR }
}

fn slowed(endpoint_id: i64, lasts: Duration) -> NewPause {
    NewPause::Slowed { endpoint_id, lasts }
}

async fn pause(stand: &Stand, pauses: &[NewPause]) {
    stand.queue.pause(pauses).await.expect("paused");
}

async fn probe(stand: &Stand, endpoint_id: i64, lasts: Duration) -> bool {
    stand.queue.probe(endpoint_id, lasts).await.expect("asked")
}

async fn recovered(stand: &Stand, endpoints: &[i64]) {
    stand.queue.recovered(endpoints).await.expect("told");
}

async fn all(stand: &Stand) -> Pauses {
    stand.queue.pauses(0).await.expect("read").expect("0 gets all")
}

/// The only pause there is.
async fn only(stand: &Stand) -> Pause {
    let mut paused = all(stand).await.paused;
    assert_eq!(paused.len(), 1, "{paused:?}");
    paused.remove(0)
}

/// When the only pause is over, by the queue's own clock.
async fn over(stand: &Stand) -> Pause {
    eventually(LONG, async || Some(only(stand).await).filter(|pause| pause.lasts.is_zero())).await
}

#[track_caller]
fn assert_lasts(pause: &Pause, expected: Duration) {
    assert!(pause.lasts <= expected && pause.lasts + LONG > expected, "{pause:?} lasts {expected:?}");
}

async fn an_endpoint_that_was_well_is_paused_for_first(stand: Stand) {
    pause(&stand, &[broken(7, HOUR)]).await;
    let pause = only(&stand).await;
    assert_eq!((pause.endpoint_id, pause.why, pause.probing, pause.times), (7, Why::Broken, false, 1));
    assert_lasts(&pause, HOUR);
}

async fn an_endpoint_that_is_broken_again_after_its_pause_is_paused_for_twice_as_long_each_time(stand: Stand) {
    pause(&stand, &[broken(7, SHORT)]).await;
    over(&stand).await;
    pause(&stand, &[broken(7, SHORT)]).await;
    assert_eq!(only(&stand).await.times, 2);
    over(&stand).await;
    pause(&stand, &[broken(7, 2 * MINUTE)]).await;
    let third = only(&stand).await;
    assert_eq!(third.times, 3);
    assert_lasts(&third, 8 * MINUTE);
}

async fn no_pause_of_a_broken_endpoint_is_longer_than_max(stand: Stand) {
    let (first, max) = (HOUR, MINUTE);
    pause(&stand, &[NewPause::Broken { endpoint_id: 7, first, max }]).await;
    assert_lasts(&only(&stand).await, max);
    recovered(&stand, &[7]).await;
    // No length but zero lets it be over at once, and no doubling makes it longer.
    for _ in 0..100 {
        pause(&stand, &[NewPause::Broken { endpoint_id: 7, first: MINUTE, max: Duration::ZERO }]).await;
    }
    pause(&stand, &[NewPause::Broken { endpoint_id: 7, first, max }]).await;
    let last = only(&stand).await;
    assert_eq!(last.times, 101);
    assert_lasts(&last, max);
}

async fn a_broken_endpoint_whose_pause_still_lasts_is_left_as_it_is(stand: Stand) {
    pause(&stand, &[broken(7, MINUTE), broken(7, HOUR)]).await;
    pause(&stand, &[broken(7, HOUR)]).await;
    let pause = only(&stand).await;
    assert_eq!(pause.times, 1);
    assert_lasts(&pause, MINUTE);
}

async fn an_endpoint_that_breaks_while_it_is_probed_is_paused_anew(stand: Stand) {
    pause(&stand, &[broken(7, Duration::ZERO)]).await;
    assert!(probe(&stand, 7, HOUR).await);
    pause(&stand, &[broken(7, MINUTE)]).await;
    let pause = only(&stand).await;
    assert_eq!((pause.probing, pause.times), (false, 2));
    assert_lasts(&pause, 2 * MINUTE);
}

async fn a_slowed_endpoint_is_paused_until_then_unless_it_is_for_longer_already(stand: Stand) {
    pause(&stand, &[slowed(7, 2 * MINUTE), slowed(7, MINUTE)]).await;
    let first = only(&stand).await;
    assert_eq!((first.endpoint_id, first.why, first.probing, first.times), (7, Why::Slowed, false, 0));
    assert_lasts(&first, 2 * MINUTE);
    pause(&stand, &[slowed(7, HOUR)]).await;
    assert_lasts(&only(&stand).await, HOUR);
}

async fn an_endpoint_may_be_both_and_slowing_makes_nothing_broken_and_mends_nothing(stand: Stand) {
    pause(&stand, &[slowed(8, HOUR), broken(7, Duration::ZERO), slowed(7, MINUTE)]).await;
    let paused = all(&stand).await.paused;
    let names: Vec<_> = paused.iter().map(|pause| (pause.endpoint_id, pause.why)).collect();
    assert_eq!(names, [(7, Why::Broken), (7, Why::Slowed), (8, Why::Slowed)]);
    assert_eq!(paused[0].lasts, Duration::ZERO);
    assert_lasts(&paused[1], MINUTE);
    assert!(!probe(&stand, 8, MINUTE).await);
    assert!(probe(&stand, 7, MINUTE).await, "it is broken, and that pause is over");
}

async fn one_caller_probes_a_broken_endpoint_when_its_pause_is_over(stand: Stand) {
    pause(&stand, &[broken(7, SHORT), broken(8, HOUR)]).await;
    assert!(!probe(&stand, 8, MINUTE).await, "its pause lasts");
    eventually(LONG, async || all(&stand).await.paused[0].lasts.is_zero().then_some(())).await;
    let answers = join_all((0..20).map(|_| probe(&stand, 7, MINUTE))).await;
    assert_eq!(answers.iter().filter(|ours| **ours).count(), 1);
    let pauses = all(&stand).await.paused;
    assert_eq!((pauses[0].probing, pauses[0].times, pauses[1].probing), (true, 1, false));
    assert_lasts(&pauses[0], MINUTE);
}

async fn an_endpoint_that_is_not_broken_is_not_probed(stand: Stand) {
    assert!(!probe(&stand, 7, MINUTE).await);
    pause(&stand, &[broken(7, Duration::ZERO)]).await;
    recovered(&stand, &[7]).await;
    assert!(!probe(&stand, 7, MINUTE).await);
}

async fn a_prober_that_died_holds_nothing_and_times_stays_what_it_is(stand: Stand) {
    pause(&stand, &[broken(7, Duration::ZERO)]).await;
    assert!(probe(&stand, 7, SHORT).await);
    let died = over(&stand).await;
    assert_eq!((died.probing, died.times), (false, 1));
    assert!(probe(&stand, 7, MINUTE).await);
    assert!(!probe(&stand, 7, MINUTE).await);
    assert_eq!(only(&stand).await.times, 1);
}

async fn an_endpoint_that_recovered_is_broken_no_longer_and_stays_slowed(stand: Stand) {
    pause(&stand, &[broken(7, HOUR), slowed(7, HOUR), broken(8, HOUR), broken(9, HOUR)]).await;
    recovered(&stand, &[7, 9, 10]).await;
    let names: Vec<_> = all(&stand).await.paused.iter().map(|pause| (pause.endpoint_id, pause.why)).collect();
    assert_eq!(names, [(7, Why::Slowed), (8, Why::Broken)]);
}

async fn times_starts_from_0_after_a_recovery(stand: Stand) {
    for _ in 0..5 {
        pause(&stand, &[broken(7, Duration::ZERO)]).await;
    }
    assert_eq!(only(&stand).await.times, 5);
    recovered(&stand, &[7]).await;
    pause(&stand, &[broken(7, MINUTE)]).await;
    let pause = only(&stand).await;
    assert_eq!(pause.times, 1);
    assert_lasts(&pause, MINUTE);
}

async fn what_changed_shows_since_every_earlier_revision_and_nothing_since_the_last(stand: Stand) {
    let mut known = vec![all(&stand).await.revision];
    let mut shows = async |what: &str, count: usize| {
        let pauses = all(&stand).await;
        assert_eq!(pauses.paused.len(), count, "{what}");
        assert!(pauses.revision != 0 && !known.contains(&pauses.revision), "{what}: {} after {known:?}", pauses.revision);
        for earlier in &known {
            let since = stand.queue.pauses(*earlier).await.unwrap().expect(what);
            assert_eq!((since.revision, since.paused.len()), (pauses.revision, count), "{what}");
        }
        assert_eq!(stand.queue.pauses(pauses.revision).await.unwrap(), None, "{what}");
        known.push(pauses.revision);
    };
    pause(&stand, &[broken(7, Duration::ZERO)]).await;
    shows("it broke", 1).await;
    assert!(probe(&stand, 7, HOUR).await);
    shows("it is probed", 1).await;
    pause(&stand, &[broken(7, HOUR)]).await;
    shows("it is broken still", 1).await;
    pause(&stand, &[slowed(7, MINUTE)]).await;
    shows("it was slowed", 2).await;
    pause(&stand, &[slowed(7, HOUR)]).await;
    shows("it was slowed for longer", 2).await;
    recovered(&stand, &[7]).await;
    shows("it recovered", 1).await;
}

async fn what_changes_nothing_gives_no_new_revision(stand: Stand) {
    pause(&stand, &[broken(7, HOUR), slowed(7, HOUR)]).await;
    let known = all(&stand).await.revision;
    pause(&stand, &[broken(7, HOUR), slowed(7, MINUTE)]).await;
    pause(&stand, &[]).await;
    assert!(!probe(&stand, 7, MINUTE).await);
    recovered(&stand, &[8]).await;
    recovered(&stand, &[]).await;
    assert_eq!(stand.queue.pauses(known).await.unwrap(), None);
}

async fn nothing_is_paused_at_one_revision_however_that_came_about(stand: Stand) {
    let nothing = Pauses { revision: Pauses::NOTHING, paused: vec![] };
    assert_eq!(all(&stand).await, nothing);
    assert_eq!(stand.queue.pauses(Pauses::NOTHING).await.unwrap(), None);
    pause(&stand, &[broken(7, HOUR)]).await;
    let known = all(&stand).await.revision;
    recovered(&stand, &[7]).await;
    assert_eq!(stand.queue.pauses(known).await.unwrap(), Some(nothing));
    pause(&stand, &[broken(7, HOUR)]).await;
    assert_eq!(stand.queue.pauses(known).await.unwrap().expect("it broke again").paused.len(), 1);
}

async fn a_slowing_that_is_over_is_forgotten(stand: Stand) {
    pause(&stand, &[slowed(7, SHORT), slowed(8, HOUR)]).await;
    eventually(LONG, async || all(&stand).await.paused.iter().all(|pause| pause.endpoint_id == 8).then_some(())).await;
    pause(&stand, &[slowed(9, SHORT), broken(9, HOUR)]).await;
    eventually(LONG, async || (all(&stand).await.paused.len() == 2).then_some(())).await;
    recovered(&stand, &[9]).await;
    assert_eq!(only(&stand).await.endpoint_id, 8);
}

async fn thousands_are_paused_and_shown_at_once(stand: Stand) {
    let pauses: Vec<_> = (0..2_500).flat_map(|id| [broken(id, HOUR), slowed(id, HOUR)]).collect();
    pause(&stand, &pauses).await;
    let paused = all(&stand).await.paused;
    let names: Vec<_> = paused.iter().map(|pause| (pause.endpoint_id, pause.why)).collect();
    assert_eq!(names, (0..2_500).flat_map(|id| [(id, Why::Broken), (id, Why::Slowed)]).collect::<Vec<_>>());
    recovered(&stand, &(0..2_499).collect::<Vec<_>>()).await;
    assert_eq!(all(&stand).await.paused.len(), 2_501);
}
