//! What bad receivers cost the others: a hundred endpoints, all healthy, and then ten of them bad in one way after the other.

use std::time::Duration;

use serde::Serialize;

use crate::crowd::{self, Taken, Ten};
use crate::drain::rate;
use crate::goals::median;
use crate::latency::Percentiles;
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::{self, Stage};

const CHUNK: u32 = 1000;
/// A steady rate is kept for so long, or until all events are out.
const LASTS: Duration = Duration::from_secs(4);
/// How often every kind has its turn in a round: with a full queue, and at a steady rate. One stall of the machine decides what the p99 of
/// a turn is, so many short turns say more than a few long ones.
const FULL_TURNS: usize = 3;
const STEADY_TURNS: usize = 7;

/// What the ninety others get, while the ten are as they are.
#[derive(Serialize)]
pub(crate) struct Others {
    /// Deliveries a second, from the first one to the last.
    pub(crate) per_second: f64,
    /// The same without the first and the last tenth of them.
    pub(crate) steady: f64,
    /// At half the rate that all hundred had while all were healthy, from `LPUSH` to receipt.
    pub(crate) latency: Percentiles,
    pub(crate) duplicates: usize,
    pub(crate) losses: usize,
    pub(crate) complaints: Vec<String>,
}

pub(crate) struct Bad {
    /// Healthy ones first.
    pub(crate) kinds: Vec<(Ten, Others)>,
}

impl Bad {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &Others)> {
        self.kinds.iter().map(|(ten, others)| (ten.name(), others))
    }

    /// Ratios to what the same get while all are healthy: throughput to the last, in the middle, and p99.
    pub(crate) fn ratios(&self, of: &Others) -> (f64, f64, f64) {
        let ratio = |pick: fn(&Others) -> f64| pick(of) / self.kinds.first().map_or(f64::NAN, |(_, healthy)| pick(healthy));
        (ratio(|of| of.per_second), ratio(|of| of.steady), ratio(|of| of.latency.p99))
    }
}

/// One kind's turns of a round.
struct Turns {
    ten: Ten,
    full: Vec<Full>,
    steady: Vec<Percentiles>,
    duplicates: usize,
    losses: usize,
    complaints: Vec<String>,
}

/// What a turn with a full queue came to, as in [`Others`].
struct Full {
    /// Of all hundred.
    all_per_second: f64,
    per_second: f64,
    steady: f64,
}

impl Turns {
    fn none(ten: Ten) -> Self {
        Self { ten, full: Vec::new(), steady: Vec::new(), duplicates: 0, losses: 0, complaints: Vec::new() }
    }

    /// The first `pushed` events are over.
    fn note(&mut self, taken: &Taken, pushed: u32, complaints: Vec<String>) {
        self.duplicates += taken.duplicates;
        self.losses += taken.losses(pushed);
        self.complaints.extend(complaints);
    }

    fn middle(self) -> (Ten, Others) {
        let full = |pick: fn(&Full) -> f64| middle(&self.full, pick);
        let steady = |pick: fn(&Percentiles) -> f64| middle(&self.steady, pick);
        let others = Others {
            per_second: full(|full| full.per_second),
            steady: full(|full| full.steady),
            latency: Percentiles { p50: steady(|latency| latency.p50), p99: steady(|latency| latency.p99) },
            duplicates: self.duplicates,
            losses: self.losses,
            complaints: self.complaints,
        };
        (self.ten, others)
    }
}

fn middle<T>(turns: &[T], pick: fn(&T) -> f64) -> f64 {
    median(&turns.iter().map(pick).collect::<Vec<_>>())
}

/// Every kind has its turn, and then every kind once more: what else the machine does changes from minute to minute, and what counts is the
/// middle one of each figure.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, round: u32, events: u32, body_bytes: usize) -> Bad {
    let kinds = std::iter::once(Ten::Healthy).chain(Ten::BAD);
    let sample = |what: &str, turn: usize, ten: Ten| Sample::new(&format!("{what}-{turn}-{}-{round}", ten.name()), events, body_bytes);
    let mut kinds: Vec<_> = kinds.map(Turns::none).collect();
    for turn in 0..FULL_TURNS {
        for turns in &mut kinds {
            full(receiver, stage, turns, &sample("full", turn, turns.ten)).await;
        }
    }
    let half = kinds.first().map_or(f64::NAN, |healthy| middle(&healthy.full, |full| full.all_per_second)) / 2.0;
    for turn in 0..STEADY_TURNS {
        for turns in &mut kinds {
            steady(receiver, stage, turns, &sample("half", turn, turns.ten), half).await;
        }
    }
    Bad { kinds: kinds.into_iter().map(Turns::middle).collect() }
}

/// A full queue, as it is delivered.
async fn full(receiver: &Receiver, stage: &Stage, turns: &mut Turns, sample: &Sample) {
    let ten = turns.ten;
    let scene = crowd::scene(receiver, stage, ten, &sample.name).await;
    for first in (0..sample.count).step_by(CHUNK as usize) {
        let numbers = first..(first + CHUNK).min(sample.count);
        scene.push(&numbers.map(|number| crowd::entry(sample, number)).collect::<Vec<_>>()).await;
    }
    let count = crowd::taken(ten, sample.count);
    let worker = scene.worker().await;
    receiver.wait_for(count).await;
    crowd::recorded(&scene, count).await;
    let complaints = errors(stage::end(worker).await);
    let receipts = receiver.take().await;
    let all_times = || receipts.iter().map(|receipt| receipt.at);
    let all_micros = all_times().max().unwrap_or_default() - all_times().min().unwrap_or_default();
    let mut taken = Taken::default();
    taken.add(sample, &receipts);
    let times = taken.times();
    let between = |from: usize, to: usize| {
        let micros = times.get(to).zip(times.get(from)).map_or(0, |(to, from)| to - from);
        rate(u32::try_from(to.saturating_sub(from)).unwrap_or(0), micros)
    };
    let (tenth, end) = (times.len() / 10, times.len().saturating_sub(1));
    let (per_second, steady) = (between(0, end), between(tenth, end - tenth));
    turns.full.push(Full { all_per_second: rate(count, all_micros), per_second, steady });
    turns.note(&taken, sample.count, complaints);
}

/// A rate that the worker keeps up with.
async fn steady(receiver: &Receiver, stage: &Stage, turns: &mut Turns, sample: &Sample, per_second: f64) {
    let ten = turns.ten;
    let scene = crowd::scene(receiver, stage, ten, &sample.name).await;
    let worker = scene.worker().await;
    let lasts = LASTS.min(Duration::from_secs_f64(f64::from(sample.count) / per_second));
    let sent = crowd::push_steadily(&scene, sample, 0, per_second, lasts).await;
    let pushed = u32::try_from(sent.len()).expect("there are not that many");
    let count = crowd::taken(ten, pushed);
    receiver.wait_for(count).await;
    crowd::recorded(&scene, count).await;
    let complaints = errors(stage::end(worker).await);
    let mut taken = Taken::default();
    taken.add(sample, &receiver.take().await);
    turns.steady.push(Percentiles::of(&taken.latencies(0, &sent)));
    turns.note(&taken, pushed, complaints);
}

/// That attempts are given back when it ends is in order here.
pub(crate) fn errors(complaints: Vec<String>) -> Vec<String> {
    complaints.into_iter().filter(|line| !line.contains(" WARN ")).collect()
}
