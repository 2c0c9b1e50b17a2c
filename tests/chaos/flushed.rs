//! `FLUSHALL` under load: what PostgreSQL knows of is put back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use serde_json::json;

use crate::harness::{Reply, World};

use super::dice::Dice;
use super::ledger::{assert_all_delivered, assert_nothing_is_left, assert_rows_count_as_the_receiver_does};
use super::load::{number, push_through_all_doors};
use super::stage::{CLAIMED, Stage};
use super::tally::Tally;

const WORKERS: usize = 3;
/// After this, whatever waits is on the schedule again, however far in the future it is due.
const PUT_BACK: Duration = Duration::from_secs(30);
/// Longer than that, jitter included: what is on the schedule in time was put there, and not sent meanwhile.
const RETRY_DELAY: u64 = 45;
/// What was sent longer ago than this had been committed.
const SHORTLY: Duration = Duration::from_secs(2);
const LONG_ENOUGH: Duration = Duration::from_secs(240);

fn fails_first(event: &str) -> bool {
    number(event).is_multiple_of(3)
}

async fn members(redis: &mut MultiplexedConnection, key: &str) -> Vec<String> {
    redis::cmd("ZRANGE").arg(key).arg(&[0, -1]).query_async(redis).await.unwrap()
}

/// How many deliveries wait, and how many of them are not on the schedule, due or leased.
async fn missing(world: &World) -> (usize, usize) {
    let waiting = "SELECT id::text FROM webhook_deliveries WHERE status IN ('pending', 'retrying')";
    let rows = world.sql().await.query(waiting, &[]).await.unwrap();
    let mut redis = world.redis().await;
    let mut scheduled: HashSet<_> = members(&mut redis, "webhook_retries").await.into_iter().collect();
    scheduled.extend(members(&mut redis, "webhook_leased").await);
    (rows.len(), rows.iter().filter(|row| !scheduled.contains(row.get::<_, &str>(0))).count())
}

/// Waits until the schedule is whole, and answers how long that took.
async fn put_back(dice: &Dice, world: &World, flushed: Instant) -> Duration {
    loop {
        let (waiting, missing) = missing(world).await;
        if missing == 0 {
            dice.say(&format!("all {waiting} that wait are on the schedule {:?} after the flush", flushed.elapsed()));
            return flushed.elapsed();
        }
        let in_time = flushed.elapsed() < PUT_BACK;
        assert!(in_time, "{missing} of {waiting} deliveries that wait are not on the schedule {PUT_BACK:?} after FLUSHALL");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What came twice was claimed by a worker when Redis forgot that it was.
fn assert_repeats_come_from_the_flush(dice: &Dice, tally: &Tally, flushed: Instant) {
    let repeats = tally.repeats();
    for repeat in &repeats {
        let in_flight = repeat.before.at + SHORTLY > flushed;
        assert!(in_flight, "{} was sent {:?} before the flush, and again", repeat.again.event_id(), flushed - repeat.before.at);
    }
    dice.say(&format!("{} repeats (bound {})", repeats.len(), WORKERS * CLAIMED));
    assert!(repeats.len() <= WORKERS * CLAIMED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_under_load_loses_nothing_that_postgres_knows_of_and_its_schedule_is_whole_soon() {
    for mut dice in Dice::rounds("a_flushed_redis_under_load") {
        let (events, started) = (dice.size(20_000, 20_000), Instant::now());
        let mut stage = Stage::set().await;
        stage
            .world
            .receiver
            .rule("/", |request| Reply::status(if fails_first(request.event_id()) && request.attempt() == 1 { 500 } else { 204 }));
        stage.world.register("/", &json!({"retry_delay": RETRY_DELAY})).await;
        stage.start_workers(WORKERS).await;
        let at = dice.number(events * 2 / 5..events * 3 / 5);
        let (world, redis) = (&stage.world, &stage.redis);
        let flush = async {
            world.receiver.wait_until(LONG_ENOUGH, |requests| requests.len() >= at).await;
            let (waiting, _) = missing(world).await;
            assert!(waiting > at / 6, "only {waiting} wait");
            redis.flush().await;
            Instant::now()
        };
        let (flushed, ()) = tokio::join!(flush, push_through_all_doors(&mut dice, world, false, events, 4000));
        put_back(&dice, world, flushed).await;
        let retried = events.div_ceil(3);
        world.receiver.wait_until(LONG_ENOUGH, |requests| requests.len() >= events + retried).await;
        let tally = assert_all_delivered(world, &["/"], events, |event, _| if fails_first(event) { 2 } else { 1 }).await;
        assert_rows_count_as_the_receiver_does(world, &tally).await;
        assert_repeats_come_from_the_flush(&dice, &tally, flushed);
        assert_nothing_is_left(&mut stage).await;
        dice.say(&format!("{events} events in {:.1} s", started.elapsed().as_secs_f64()));
    }
}
