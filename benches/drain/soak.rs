//! What the worker's memory does while ten of a hundred endpoints are bad, in all ways at once.

use std::time::Duration;

use serde::Serialize;

use crate::bad;
use crate::crowd::{self, Taken, Ten};
use crate::latency::Percentiles;
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::{self, Stage};

const PER_SECOND: f64 = 2000.0;
/// Long enough for the first deliveries that fail to have had all of their attempts, the third one after three minutes.
const WARM_UP: Duration = Duration::from_secs(210);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
pub(crate) struct Soak {
    pub(crate) seconds: u64,
    /// KiB, after three and a half minutes of the same traffic.
    pub(crate) before: usize,
    /// KiB, at the end of each minute.
    pub(crate) minutes: Vec<usize>,
    /// Of the ninety others, at a steady rate, the warming up left out.
    pub(crate) latency: Percentiles,
    pub(crate) duplicates: usize,
    pub(crate) losses: usize,
    pub(crate) complaints: Vec<String>,
}

impl Soak {
    /// The part by which memory is more in the end than it was before.
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 KiB")]
    pub(crate) fn growth(&self) -> f64 {
        self.minutes.last().map_or(f64::NAN, |last| *last as f64 / self.before as f64 - 1.0)
    }
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, lasts: Duration, body_bytes: usize) -> Soak {
    let sample = Sample::new("soak", 0, body_bytes);
    let scene = crowd::scene(receiver, stage, Ten::Mixed, &sample.name).await;
    let worker = scene.worker().await;
    let mut sent = crowd::push_steadily(&scene, &sample, 0, PER_SECOND, WARM_UP).await;
    let (warmed_up, before) = (sent.len(), worker.resident());
    let (mut minutes, mut taken, mut left) = (Vec::new(), Taken::default(), lasts);
    while !left.is_zero() {
        let step = left.min(MINUTE);
        sent.extend(crowd::push_steadily(&scene, &sample, number(sent.len()), PER_SECOND, step).await);
        minutes.push(worker.resident());
        taken.add(&sample, &receiver.take().await);
        left -= step;
    }
    let count = crowd::taken(Ten::Mixed, number(sent.len()));
    crowd::recorded(&scene, count).await;
    let complaints = bad::errors(stage::end(worker).await);
    taken.add(&sample, &receiver.take().await);
    Soak {
        seconds: lasts.as_secs(),
        before,
        minutes,
        latency: Percentiles::of(&taken.latencies(number(warmed_up), &sent[warmed_up..])),
        duplicates: taken.duplicates,
        losses: taken.losses(number(sent.len())),
        complaints,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("there are not that many")
}
