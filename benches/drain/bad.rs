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
/// How often every kind has its turn in a round: with a full queue, and at a steady rate. One stall of the machine decides what a turn comes
/// to, so many short turns say more than a few long ones.
const FULL_TURNS: usize = 5;
const STEADY_TURNS: usize = 7;

/// What the ninety others get in the turns of a round, while the ten are as they are.
#[derive(Serialize)]
pub(crate) struct Others {
    #[serde(skip)]
    ten: Ten,
    full: Vec<Full>,
    /// At half the rate that all hundred had while all were healthy, from `LPUSH` to receipt.
    latency: Vec<Percentiles>,
    pub(crate) duplicates: usize,
    pub(crate) losses: usize,
    pub(crate) complaints: Vec<String>,
}

/// A turn with a full queue; deliveries a second.
#[derive(Serialize)]
struct Full {
    /// To all hundred.
    all: f64,
    /// To the others, from the first one to the last.
    others: f64,
    /// The same without the first and the last tenth of them.
    steady: f64,
}

/// A figure of each turn.
type Figures = fn(&Others) -> Vec<f64>;

/// What the others get, and the ratio of that to what the same get while all are healthy.
pub(crate) struct Compared {
    /// Deliveries a second, from the first one to the last.
    pub(crate) per_second: (f64, f64),
    /// The same without the first and the last tenth of them.
    pub(crate) steady: (f64, f64),
    /// Milliseconds.
    pub(crate) p50: (f64, f64),
    pub(crate) p99: (f64, f64),
}

pub(crate) struct Bad {
    /// Healthy ones first.
    kinds: Vec<Others>,
}

impl Bad {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &Others)> {
        self.kinds.iter().map(|others| (others.ten.name(), others))
    }

    pub(crate) fn with(&self, ten: Ten) -> Option<Compared> {
        Some(self.compared(self.kinds.iter().find(|others| others.ten == ten)?))
    }

    /// The middle one of all turns. For a ratio each turn is compared with the healthy one beside it: what else the machine does changes from
    /// minute to minute.
    pub(crate) fn compared(&self, of: &Others) -> Compared {
        let both = |figures: Figures| {
            let (of, healthy) = (figures(of), self.kinds.first().map_or_else(Vec::new, figures));
            let ratios: Vec<_> = of.iter().zip(&healthy).map(|(of, healthy)| of / healthy).collect();
            (median(&of), median(&ratios))
        };
        Compared {
            per_second: both(|of| of.full.iter().map(|full| full.others).collect()),
            steady: both(|of| of.full.iter().map(|full| full.steady).collect()),
            p50: both(|of| of.latency.iter().map(|latency| latency.p50).collect()),
            p99: both(|of| of.latency.iter().map(|latency| latency.p99).collect()),
        }
    }
}

impl Others {
    fn none(ten: Ten) -> Self {
        Self { ten, full: Vec::new(), latency: Vec::new(), duplicates: 0, losses: 0, complaints: Vec::new() }
    }

    /// The first `pushed` events are over.
    fn note(&mut self, taken: &Taken, pushed: u32, complaints: Vec<String>) {
        self.duplicates += taken.duplicates;
        self.losses += taken.losses(pushed);
        self.complaints.extend(complaints);
    }
}

/// Every kind has its turn, and then every kind once more.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, round: u32, events: u32, body_bytes: usize) -> Bad {
    let sample = |what: &str, turn: usize, ten: Ten| Sample::new(&format!("{what}-{turn}-{}-{round}", ten.name()), events, body_bytes);
    let mut kinds: Vec<_> = std::iter::once(Ten::Healthy).chain(Ten::BAD).map(Others::none).collect();
    for turn in 0..FULL_TURNS {
        for others in &mut kinds {
            full(receiver, stage, others, &sample("full", turn, others.ten)).await;
        }
    }
    let rates = kinds.first().map_or_else(Vec::new, |healthy| healthy.full.iter().map(|full| full.all).collect());
    for turn in 0..STEADY_TURNS {
        for others in &mut kinds {
            steady(receiver, stage, others, &sample("half", turn, others.ten), median(&rates) / 2.0).await;
        }
    }
    Bad { kinds }
}

/// A full queue, as it is delivered.
async fn full(receiver: &Receiver, stage: &Stage, others: &mut Others, sample: &Sample) {
    let ten = others.ten;
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
    others.full.push(Full { all: rate(count, all_micros), others: between(0, end), steady: between(tenth, end - tenth) });
    others.note(&taken, sample.count, complaints);
}

/// A rate that the worker keeps up with.
async fn steady(receiver: &Receiver, stage: &Stage, others: &mut Others, sample: &Sample, per_second: f64) {
    let ten = others.ten;
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
    others.latency.push(Percentiles::of(&taken.latencies(0, &sent)));
    others.note(&taken, pushed, complaints);
}

/// That attempts are given back when it ends is in order here.
pub(crate) fn errors(complaints: Vec<String>) -> Vec<String> {
    complaints.into_iter().filter(|line| !line.contains(" WARN ")).collect()
}
