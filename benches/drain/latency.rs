//! From `LPUSH` to the receiver, through a worker that has nothing else to do; and the same for a bare POST.

use std::collections::HashMap;
use std::time::Duration;

use posthaste::model::clock;
use serde::Serialize;

use crate::raw::{self, Signer};
use crate::receipts::{Receipt, Receiver, Tally};
use crate::sample::Sample;
use crate::stage::{self, Stage};

const EVENTS: u32 = 500;
/// Sent before, and not counted: connections open, caches fill.
const WARM_UP: u32 = 20;
const SPACING: Duration = Duration::from_millis(5);

/// Milliseconds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

pub(crate) struct Latency {
    pub(crate) worker: Percentiles,
    pub(crate) bare: Percentiles,
    pub(crate) tally: Tally,
    pub(crate) complaints: Vec<String>,
}

impl Latency {
    /// What the worker adds to a bare POST, in milliseconds.
    pub(crate) fn above(&self, pick: fn(&Percentiles) -> f64) -> f64 {
        pick(&self.worker) - pick(&self.bare)
    }
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, round: u32, body_bytes: usize) -> Latency {
    let sample = Sample::new(&format!("latency-{round}"), WARM_UP + EVENTS, body_bytes);
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    let worker = scene.worker().await;
    let mut sent = HashMap::new();
    for number in 0..sample.count {
        pause(number).await;
        let id = sample.id(number);
        let entry = [sample.body(&id)];
        sent.insert(id, clock::now().timestamp_micros());
        scene.push(&entry).await;
    }
    receiver.wait_for(sample.count).await;
    let complaints = stage::end(worker).await;
    let receipts = receiver.take().await;
    let tally = Tally::of(&sample, &receipts);
    Latency { worker: percentiles(&sample, &sent, &receipts), bare: bare(receiver, round, body_bytes).await, tally, complaints }
}

async fn bare(receiver: &Receiver, round: u32, body_bytes: usize) -> Percentiles {
    let sample = Sample::new(&format!("bare-{round}"), WARM_UP + EVENTS, body_bytes);
    let (client, signer) = (raw::client(1), Signer::new());
    let url = receiver.url(&sample.name).parse().expect("the receiver's URL");
    let mut sent = HashMap::new();
    for number in 0..sample.count {
        pause(number).await;
        let id = sample.id(number);
        let body = sample.body(&id);
        sent.insert(id.clone(), clock::now().timestamp_micros());
        raw::post(&client, signer.request(&url, &id, body), 204).await;
    }
    percentiles(&sample, &sent, &receiver.take().await)
}

/// Spacing that does not beat in time with anything.
async fn pause(number: u32) {
    let jitter = u64::from(number.wrapping_mul(2_654_435_761) >> 16) % 5000;
    tokio::time::sleep(SPACING + Duration::from_micros(jitter)).await;
}

fn percentiles(sample: &Sample, sent: &HashMap<String, i64>, receipts: &[Receipt]) -> Percentiles {
    let last_warm_up = sample.id(WARM_UP - 1);
    let counted = receipts.iter().filter(|receipt| receipt.id > last_warm_up);
    let mut micros: Vec<_> = counted.filter_map(|receipt| Some(receipt.at - sent.get(&receipt.id)?)).collect();
    micros.sort_unstable();
    Percentiles::of(&micros)
}

impl Percentiles {
    /// Of microseconds in order.
    #[expect(clippy::cast_precision_loss, reason = "latencies are no 2^52 microseconds")]
    pub(crate) fn of(micros: &[i64]) -> Self {
        let at = |percent: usize| {
            micros.get((micros.len() * percent).div_ceil(100).saturating_sub(1)).map_or(f64::NAN, |micros| *micros as f64 / 1e3)
        };
        Self { p50: at(50), p99: at(99) }
    }
}
