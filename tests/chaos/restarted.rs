//! Servers and workers are restarted under load.

use std::time::Instant;

use serde_json::json;

use super::dice::Dice;
use super::ledger::{assert_all_delivered, assert_nothing_is_left, assert_rows_count_as_the_receiver_does};
use super::load::push_through_all_doors;
use super::outages::{assert_survived, prepare, under_load};
use super::stage::{Part, Stage};

async fn killed_and_started(part: Part, test: &'static str) {
    for mut dice in Dice::rounds(test) {
        let times = dice.size(10, 4);
        // Of the second that an ordinary Redis may lose, nobody can know what was in it.
        let mut stage = Stage::set_durable().await;
        prepare(&mut stage).await;
        let trouble = async {
            for _ in 0..times {
                let more = dice.number(500..2500);
                stage.world.receiver.wait_for(stage.world.receiver.count() + more).await;
                stage.kill(part).await;
                stage.start(part).await;
            }
        };
        let stream = under_load(&stage, trouble).await;
        dice.say(&format!("killed {times} times"));
        assert_survived(&dice, &mut stage, &stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_again_and_again_under_load_costs_no_event_and_no_attempt() {
    killed_and_started(Part::Postgres, "postgres_killed_again_and_again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_again_and_again_under_load_costs_no_event_and_no_attempt() {
    killed_and_started(Part::Redis, "redis_killed_again_and_again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_replaced_one_after_the_other_under_load_lose_nothing_and_repeat_nothing() {
    for mut dice in Dice::rounds("three_workers_replaced_one_after_the_other") {
        let (events, started) = (dice.size(20_000, 20_000), Instant::now());
        let mut stage = Stage::set().await;
        stage.world.register("/", &json!({})).await;
        stage.start_workers(3).await;
        let Stage { world, workers, .. } = &mut stage;
        let replace = async {
            let mut replaced = 0;
            while world.receiver.count() < events {
                for old in workers.iter_mut() {
                    let new = world.another("worker").await;
                    old.terminate();
                    assert_eq!(old.exited().await.code(), Some(0), "{}", old.stderr());
                    *old = new;
                    replaced += 1;
                }
            }
            replaced
        };
        let (replaced, ()) = tokio::join!(replace, push_through_all_doors(&mut dice, world, true, events, 5000));
        let tally = assert_all_delivered(world, &["/"], events, |_, _| 1).await;
        assert_rows_count_as_the_receiver_does(world, &tally).await;
        dice.say(&format!("{events} events, {replaced} workers replaced, {:.1} s", started.elapsed().as_secs_f64()));
        assert_eq!((world.receiver.count(), tally.repeats().len()), (events, 0), "requests, repeats");
        assert!(replaced >= 3);
        assert_nothing_is_left(&mut stage).await;
    }
}
