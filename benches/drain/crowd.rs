//! A hundred endpoints that get the same share of all events; every tenth of them may be bad.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use posthaste::model::clock;

use crate::receipts::{Receipt, Receiver};
use crate::sample::{self, Sample};
use crate::stage::{Scene, Stage};

const ENDPOINTS: u32 = 100;
const EVERY: u32 = 10;
/// How often events that are due are pushed.
const STEP: Duration = Duration::from_millis(2);
const CHUNK: usize = 1000;

/// What the ten are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ten {
    Healthy,
    Hanging,
    Dripping,
    Resetting,
    Unavailable,
    /// Some of each.
    Mixed,
}

impl Ten {
    pub(crate) const BAD: [Self; 4] = [Self::Hanging, Self::Dripping, Self::Resetting, Self::Unavailable];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Hanging => "hanging",
            Self::Dripping => "dripping",
            Self::Resetting => "resetting",
            Self::Unavailable => "503",
            Self::Mixed => "mixed",
        }
    }

    /// The first part of the path of the `nth` of the ten; `None` for a healthy one.
    pub(crate) fn manners(self, nth: u32) -> Option<&'static str> {
        let either = |even, odd| Some(if nth.is_multiple_of(2) { even } else { odd });
        match self {
            Self::Healthy => None,
            Self::Hanging => Some("hangs"),
            Self::Dripping => either("drips-body", "drips-head"),
            Self::Resetting => either("resets", "cuts"),
            Self::Unavailable => Some("unavailable"),
            Self::Mixed => Self::BAD[nth as usize % Self::BAD.len()].manners(nth / 4),
        }
    }
}

/// An event of a number that is none of the ten endpoints'.
pub(crate) fn is_for_the_others(number: u32) -> bool {
    !number.is_multiple_of(EVERY)
}

/// So many of the first `count` events go to endpoints that take them.
pub(crate) fn taken(ten: Ten, count: u32) -> u32 {
    if ten == Ten::Healthy { count } else { count - count.div_ceil(EVERY) }
}

pub(crate) fn entry(sample: &Sample, number: u32) -> String {
    sample.typed(number, &event_type(number))
}

fn event_type(number: u32) -> String {
    format!("crowd.{}", number % ENDPOINTS)
}

/// An empty scene with the hundred endpoints.
pub(crate) async fn scene(receiver: &Receiver, stage: &Stage, ten: Ten, name: &str) -> Scene {
    // Nobody waits for what hangs when it is over.
    let scene = stage.empty().await.set("POSTHASTE__SHUTDOWN__GRACE", "1");
    for number in 0..ENDPOINTS {
        let manners = if is_for_the_others(number) { None } else { ten.manners(number / EVERY) };
        let path = manners.map_or_else(|| path(name, number), |manners| format!("{manners}/{number}"));
        scene.register(&path, &receiver.nth_url(number as usize, &path), &event_type(number)).await;
    }
    scene.begin().await;
    scene
}

fn path(name: &str, number: u32) -> String {
    format!("{name}/{}", number % ENDPOINTS)
}

/// Pushes events at a steady rate, beginning with the number `from`, and answers when each was enqueued, in microseconds since 1970.
pub(crate) async fn push_steadily(scene: &Scene, sample: &Sample, from: u32, per_second: f64, lasts: Duration) -> Vec<i64> {
    let (started, mut sent) = (Instant::now(), Vec::new());
    let mut clock = tokio::time::interval(STEP);
    while started.elapsed() < lasts {
        clock.tick().await;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "there are not that many")]
        let due = (started.elapsed().min(lasts).as_secs_f64() * per_second) as usize;
        while sent.len() < due {
            let count = (due - sent.len()).min(CHUNK);
            let first = from + u32::try_from(sent.len()).expect("there are not that many");
            let entries: Vec<_> = (first..).take(count).map(|number| entry(sample, number)).collect();
            let now = clock::now().timestamp_micros();
            sent.extend(std::iter::repeat_n(now, count));
            scene.push(&entries).await;
        }
    }
    sent
}

/// What the receivers that take everything got, by the numbers of the events.
#[derive(Default)]
pub(crate) struct Taken {
    /// When each came for the first time, in microseconds since 1970.
    at: HashMap<u32, i64>,
    pub(crate) duplicates: usize,
}

impl Taken {
    /// What came twice, to another endpoint's receiver, or is no event of the sample counts as a duplicate.
    pub(crate) fn add(&mut self, sample: &Sample, receipts: &[Receipt]) {
        for Receipt { at, path: came_to, id } in receipts {
            let number = sample::number_of(id).filter(|number| *id == sample.id(*number) && came_to[1..] == path(&sample.name, *number));
            if number.is_none_or(|number| self.at.insert(number, *at).is_some()) {
                self.duplicates += 1;
            }
        }
    }

    /// Of the first `count` events, those for the other ninety that never came.
    pub(crate) fn losses(&self, count: u32) -> usize {
        (0..count).filter(|number| is_for_the_others(*number) && !self.at.contains_key(number)).count()
    }

    /// When those of the other ninety came, in order.
    pub(crate) fn times(&self) -> Vec<i64> {
        let mut times: Vec<_> = self.at.iter().filter(|(number, _)| is_for_the_others(**number)).map(|(_, at)| *at).collect();
        times.sort_unstable();
        times
    }

    /// How long those of the other ninety took that were enqueued at these times, in order, in microseconds.
    pub(crate) fn latencies(&self, from: u32, sent: &[i64]) -> Vec<i64> {
        let numbered = (from..).zip(sent).filter(|(number, _)| is_for_the_others(*number));
        let mut micros: Vec<_> = numbered.filter_map(|(number, sent)| Some(self.at.get(&number)? - sent)).collect();
        micros.sort_unstable();
        micros
    }
}

/// Returns when so many are recorded as delivered; after a minute without any progress as well.
pub(crate) async fn recorded(scene: &Scene, count: u32) {
    let (mut seen, mut since) = (-1, Instant::now());
    while seen < i64::from(count) && since.elapsed() < Duration::from_secs(60) {
        let now = scene.delivered_rows().await;
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
