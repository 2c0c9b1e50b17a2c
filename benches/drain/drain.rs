//! Door 1: a full Redis list is delivered and recorded.

use std::time::{Duration, Instant};

use posthaste::model::clock;

use crate::cpu::{self, Cpu};
use crate::harness::api::Api;
use crate::receipts::{Receiver, Tally};
use crate::sample::Sample;
use crate::stage::{self, Stage};

/// How long recording what was received may take.
const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 1000;

/// What a full queue came to.
pub(crate) struct Drained {
    /// From the first request to the last.
    pub(crate) sent_per_second: f64,
    /// From the first request until all rows are committed and the queue is empty.
    pub(crate) per_second: f64,
    pub(crate) rows: i64,
    pub(crate) tally: Tally,
    /// Microseconds for each delivery.
    pub(crate) cpu: Cpu,
    pub(crate) commits: Commits,
    pub(crate) redis_reads: Option<f64>,
    pub(crate) complaints: Vec<String>,
}

/// What the program says about its commits.
pub(crate) struct Commits {
    pub(crate) count: f64,
    pub(crate) mean_ms: f64,
}

impl Commits {
    pub(crate) async fn of(api: &Api) -> Self {
        let count = api.metric("webhook_commits_total").await.unwrap_or(f64::NAN);
        let seconds = api.metric("webhook_commit_duration_seconds_sum").await.unwrap_or(f64::NAN);
        Self { count, mean_ms: seconds / count * 1e3 }
    }
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Drained {
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    let entries: Vec<_> = sample.ids().map(|id| sample.body(&id)).collect();
    for chunk in entries.chunks(CHUNK) {
        scene.push(chunk).await;
    }
    let (cpu_before, reads_before) = (cpu::used(), scene.redis_reads().await);
    let worker = scene.worker().await;
    receiver.wait_for(sample.count).await;
    let since = Instant::now();
    while !scene.is_settled().await && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let settled = clock::now().timestamp_micros();
    let cpu = cpu::per_unit(&cpu_before, &cpu::used(), sample.count);
    let redis_reads = scene.redis_reads().await - reads_before;
    let (commits, rows) = (Commits::of(&worker.api()).await, scene.delivered_rows().await);
    let complaints = stage::end(worker).await;
    // Only now: what came after all was settled would be a duplicate.
    let tally = Tally::of(sample, &receiver.take().await);
    Drained {
        sent_per_second: rate(sample.count, tally.last - tally.first),
        per_second: rate(sample.count, settled - tally.first),
        rows,
        tally,
        cpu,
        commits,
        redis_reads: Some(redis_reads),
        complaints,
    }
}

/// 0 where nothing came.
#[expect(clippy::cast_precision_loss, reason = "a run takes no 2^52 microseconds")]
pub(crate) fn rate(count: u32, micros: i64) -> f64 {
    if micros > 0 { f64::from(count) / (micros as f64 / 1e6) } else { 0.0 }
}
