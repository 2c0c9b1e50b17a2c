//! PostgreSQL or Redis is away under load, retries and all.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Reply, Stores};

use super::dice::Dice;
use super::ledger::{assert_all_delivered, assert_nothing_is_left, assert_rows_count_as_the_receiver_does};
use super::load::{Stream, number};
use super::outage::{Way, outage};
use super::stage::{CLAIMED, Part, Stage};

const LONG_ENOUGH: Duration = Duration::from_secs(400);
const WORKERS: usize = 2;

/// What `/flaky` refuses twice.
fn is_refused(event: &str) -> bool {
    number(event).is_multiple_of(4)
}

fn attempts(event: &str, path: &str) -> u32 {
    if path == "/flaky" && is_refused(event) { 3 } else { 1 }
}

/// Two endpoints get every event, and one of them gets a quarter of them twice more.
fn requests(events: usize) -> usize {
    2 * events + events / 4 * 2
}

/// Two endpoints, of which one refuses some deliveries twice, and workers.
pub(super) async fn prepare(stage: &mut Stage) {
    stage
        .world
        .receiver
        .rule("/flaky", |request| Reply::status(if is_refused(request.event_id()) && request.attempt() < 3 { 500 } else { 204 }));
    stage.world.register("/steady", &json!({})).await;
    stage.world.register("/flaky", &json!({"retry_schedule": [1, 3, 3, 3, 3]})).await;
    stage.start_workers(WORKERS).await;
}

/// Runs `trouble` with load all the while; returns when it is over and every event was taken.
pub(super) async fn under_load(stage: &Stage, trouble: impl Future<Output = ()>) -> Stream {
    let stream = Stream::new(requests);
    let Stores::Production { redis_url, .. } = &stage.direct else { unreachable!("production") };
    let (world, receiver) = (&stage.world, &stage.world.receiver);
    let until_over = async {
        trouble.await;
        stream.stop.cancel();
    };
    tokio::join!(until_over, stream.push(redis_url, receiver), stream.send(&world.api, receiver));
    stream
}

/// Everything that the stream sent is delivered, and attempts were used up by the receiver's answers alone.
pub(super) async fn assert_survived(dice: &Dice, stage: &mut Stage, stream: &Stream) {
    let (world, events, stopped) = (&stage.world, stream.events(), Instant::now());
    world.receiver.wait_until(LONG_ENOUGH, |came| came.len() >= requests(events)).await;
    let tally = assert_all_delivered(world, &["/steady", "/flaky"], events, attempts).await;
    assert_rows_count_as_the_receiver_does(world, &tally).await;
    let repeats = tally.repeats().len();
    let (refused, seconds) = (stream.refused(), stopped.elapsed().as_secs_f64());
    dice.say(&format!("{events} events, {refused} refused at first, {repeats} repeats, the last came {seconds:.1} s after the load's end"));
    assert!(repeats <= WORKERS * CLAIMED, "{repeats} repeats");
    for process in stage.processes() {
        assert!(process.status().is_none(), "it ended: {}", process.stderr());
    }
    assert_nothing_is_left(stage).await;
}

async fn outage_of(part: Part, way: Way, test: &'static str) {
    for mut dice in Dice::rounds(test) {
        let lasting = dice.seconds(90, 10);
        let mut stage = match way {
            Way::Stopped => Stage::set().await,
            Way::CutOff => Stage::set_behind_proxies().await,
        };
        prepare(&mut stage).await;
        let stream = under_load(&stage, outage(&mut dice, &stage, part, way, lasting)).await;
        assert_survived(&dice, &mut stage, &stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_stopped_under_load_costs_no_event_and_no_attempt() {
    outage_of(Part::Postgres, Way::Stopped, "postgres_stopped_under_load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_stopped_under_load_costs_no_event_and_no_attempt() {
    outage_of(Part::Redis, Way::Stopped, "redis_stopped_under_load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_cut_off_under_load_costs_no_event_and_no_attempt() {
    outage_of(Part::Postgres, Way::CutOff, "postgres_cut_off_under_load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cut_off_under_load_costs_no_event_and_no_attempt() {
    outage_of(Part::Redis, Way::CutOff, "redis_cut_off_under_load").await;
}
