//! What bad receivers cost the others: a hundred endpoints, all healthy, and then ten of them bad in one way after the other.

use std::time::Duration;

use serde::Serialize;

use crate::crowd::{self, Taken, Ten};
use crate::drain::rate;
use crate::latency::Percentiles;
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::{self, Stage};

const CHUNK: u32 = 1000;
/// A steady rate is kept for so long, or until all events are out.
const LASTS: Duration = Duration::from_secs(20);

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

/// All are healthy in the first, which is the mean of two, before and after the others: what else the machine does changes meanwhile.
pub(crate) struct Bad {
    pub(crate) healthy: Others,
    pub(crate) others: Vec<(Ten, Others)>,
}

impl Bad {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &Others)> {
        std::iter::once(("healthy", &self.healthy)).chain(self.others.iter().map(|(ten, others)| (ten.name(), others)))
    }
}

impl Others {
    fn mean(mut self, other: Self) -> Self {
        let latency = |pick: fn(&Percentiles) -> f64| f64::midpoint(pick(&self.latency), pick(&other.latency));
        self.latency = Percentiles { p50: latency(|of| of.p50), p99: latency(|of| of.p99) };
        self.per_second = f64::midpoint(self.per_second, other.per_second);
        self.steady = f64::midpoint(self.steady, other.steady);
        self.duplicates += other.duplicates;
        self.losses += other.losses;
        self.complaints.extend(other.complaints);
        self
    }

    /// Ratios to what the same get while all are healthy: throughput to the last, in the middle, and p99.
    pub(crate) fn against(&self, healthy: &Self) -> (f64, f64, f64) {
        (self.per_second / healthy.per_second, self.steady / healthy.steady, self.latency.p99 / healthy.latency.p99)
    }
}

struct Full {
    /// Of all hundred.
    all_per_second: f64,
    others: Others,
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, round: u32, events: u32, body_bytes: usize) -> Bad {
    let sample = |what: &str, ten: Ten| Sample::new(&format!("{what}-{}-{round}", ten.name()), events, body_bytes);
    let before = full(receiver, stage, Ten::Healthy, &sample("before", Ten::Healthy)).await;
    let mut others = Vec::new();
    for ten in Ten::BAD {
        others.push((ten, full(receiver, stage, ten, &sample("full", ten)).await.others));
    }
    let after = full(receiver, stage, Ten::Healthy, &sample("after", Ten::Healthy)).await;
    let half = f64::midpoint(before.all_per_second, after.all_per_second) / 2.0;
    let (mut before, mut after) = (before.others, after.others);
    steady(receiver, stage, Ten::Healthy, &sample("half-before", Ten::Healthy), half, &mut before).await;
    for (ten, others) in &mut others {
        steady(receiver, stage, *ten, &sample("half", *ten), half, others).await;
    }
    steady(receiver, stage, Ten::Healthy, &sample("half-after", Ten::Healthy), half, &mut after).await;
    Bad { healthy: before.mean(after), others }
}

/// A full queue, as it is delivered.
async fn full(receiver: &Receiver, stage: &Stage, ten: Ten, sample: &Sample) -> Full {
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
    let others = Others {
        per_second: between(0, end),
        steady: between(tenth, end - tenth),
        latency: Percentiles { p50: f64::NAN, p99: f64::NAN },
        duplicates: taken.duplicates,
        losses: taken.losses(sample.count),
        complaints,
    };
    Full { all_per_second: rate(count, all_micros), others }
}

/// A rate that the worker keeps up with.
async fn steady(receiver: &Receiver, stage: &Stage, ten: Ten, sample: &Sample, per_second: f64, others: &mut Others) {
    let scene = crowd::scene(receiver, stage, ten, &sample.name).await;
    let worker = scene.worker().await;
    let lasts = LASTS.min(Duration::from_secs_f64(f64::from(sample.count) / per_second));
    let sent = crowd::push_steadily(&scene, sample, 0, per_second, lasts).await;
    let pushed = u32::try_from(sent.len()).expect("there are not that many");
    let count = crowd::taken(ten, pushed);
    receiver.wait_for(count).await;
    crowd::recorded(&scene, count).await;
    others.complaints.extend(errors(stage::end(worker).await));
    let mut taken = Taken::default();
    taken.add(sample, &receiver.take().await);
    others.latency = Percentiles::of(&taken.latencies(0, &sent));
    others.duplicates += taken.duplicates;
    others.losses += taken.losses(pushed);
}

/// That attempts are given back when it ends is in order here.
pub(crate) fn errors(complaints: Vec<String>) -> Vec<String> {
    complaints.into_iter().filter(|line| !line.contains(" WARN ")).collect()
}
