//! `kill -9`, again and again, under load.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{LONG, World};

use super::dice::Dice;
use super::ledger::{assert_all_delivered, assert_nothing_is_left, assert_rows_count_as_the_receiver_does};
use super::load::{push_through_all_doors, send_until_answered};
use super::stage::{Stage, UNCOMMITTED, tightened};
use super::tally::Tally;

const KILLS: usize = 20;
/// How many events may be under way: enough that there is work for all at each kill.
const AHEAD: usize = 6000;
/// How long before a kill a request may have been sent that was not committed when it came. Ordinarily that takes some hundredths
/// of a second; the rest is for a machine that does much else.
const SHORTLY: Duration = Duration::from_secs(2);
/// How long after a kill the receiver may read what the dead process had sent.
const UNREAD: Duration = Duration::from_millis(500);

/// The next kill comes when so many requests came: the kills are spread over the run, each at a moment by chance.
fn moment(dice: &mut Dice, kill: usize, events: usize) -> usize {
    let apart = events / (KILLS + 1);
    kill * apart + dice.number(0..apart)
}

/// What came twice had been sent shortly before a kill, and there is no more of it than the killed processes had uncommitted.
fn assert_repeats_come_from_kills(dice: &Dice, tally: &Tally, kills: &[Instant], events: usize, started: Instant) {
    let repeats = tally.repeats();
    let mut longest = Duration::ZERO;
    for repeat in &repeats {
        let next = kills.iter().find(|kill| **kill + UNREAD >= repeat.before.at);
        let since = next.map(|kill| kill.saturating_duration_since(repeat.before.at));
        let shortly = since.is_some_and(|since| since < SHORTLY);
        assert!(shortly, "{} was sent {since:?} before a kill, and again", repeat.again.event_id());
        longest = longest.max(since.unwrap_or_default());
    }
    let (count, kills, seconds) = (repeats.len(), kills.len(), started.elapsed().as_secs_f64());
    dice.say(&format!(
        "{events} events, {kills} kills, {count} repeats (bound {UNCOMMITTED} for each kill), sent at most {longest:?} before, {seconds:.1} s"
    ));
    assert!(count <= UNCOMMITTED * kills, "{count} repeats");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_20_times_lose_nothing_and_repeat_only_what_was_in_flight() {
    for mut dice in Dice::rounds("workers_killed_20_times_lose_nothing") {
        let (events, started) = (dice.size(50_000, 50_000), Instant::now());
        let mut stage = Stage::set().await;
        stage.world.register("/", &json!({})).await;
        stage.start_workers(3).await;
        let moments: Vec<_> = (0..KILLS).map(|kill| (moment(&mut dice, kill, events), dice.number(0..3))).collect();
        let Stage { world, workers, .. } = &mut stage;
        let kill_workers = async {
            let mut kills = Vec::with_capacity(KILLS);
            for (moment, which) in moments {
                world.receiver.wait_for(moment).await;
                workers[which].kill();
                kills.push(Instant::now());
                workers[which] = world.another("worker").await;
            }
            kills
        };
        let (kills, ()) = tokio::join!(kill_workers, push_through_all_doors(&mut dice, world, true, events, AHEAD));
        world.receiver.wait_for(events).await;
        let tally = assert_all_delivered(world, &["/"], events, |_, _| 1).await;
        assert_rows_count_as_the_receiver_does(world, &tally).await;
        assert_repeats_come_from_kills(&dice, &tally, &kills, events, started);
        assert_nothing_is_left(&mut stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_process_killed_20_times_loses_nothing_and_repeats_only_what_was_in_flight() {
    for mut dice in Dice::rounds("the_embedded_process_killed_20_times") {
        let (events, started) = (dice.size(10_000, 10_000), Instant::now());
        let mut world = tightened(World::embedded()).await;
        world.register("/", &json!({})).await;
        let api = world.api.clone();
        let kill_it = async {
            let mut kills = Vec::with_capacity(KILLS);
            for kill in 0..KILLS {
                world.receiver.wait_for(moment(&mut dice, kill, events)).await;
                world.app.kill();
                kills.push(Instant::now());
                world.start_again().await;
            }
            kills
        };
        let (kills, ()) = tokio::join!(kill_it, send_until_answered(&api, events));
        world.receiver.wait_until(LONG, |requests| requests.len() >= events).await;
        let tally = assert_all_delivered(&world, &["/"], events, |_, _| 1).await;
        assert_repeats_come_from_kills(&dice, &tally, &kills, events, started);
    }
}
