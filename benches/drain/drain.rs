//! Door 1: a full Redis list is delivered and recorded.

use std::time::{Duration, Instant};

use posthaste::model::clock;

use crate::cpu::{self, Cpu};
use crate::harness::api::Api;
use crate::harness::process::Process;
use crate::receipts::{Receiver, Tally, Wanted};
use crate::sample::Sample;
use crate::stage::{self, Scene, Stage};

/// How long recording what was received may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Entries that are pushed at once.
pub(crate) const CHUNK: usize = 1000;

/// What a full queue came to.
pub(crate) struct Drained {
    /// From the first request to the last.
    pub(crate) sent_per_second: f64,
    /// From the first request until all rows are committed and the queue is empty.
    pub(crate) per_second: f64,
    /// How many deliveries there had to be.
    pub(crate) wanted: u32,
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

/// What there was before a measurement.
pub(crate) struct Before {
    cpu: Cpu,
    redis_reads: f64,
    rows: i64,
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Drained {
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    push(&scene, sample.ids().map(|id| sample.body(&id))).await;
    work_off(receiver, &scene, &Wanted::of(sample)).await
}

/// Door 1.
pub(crate) async fn push(scene: &Scene, entries: impl Iterator<Item = String>) {
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        scene.push(&entries.by_ref().take(CHUNK).collect::<Vec<_>>()).await;
    }
}

/// A worker is started, and delivers what waits.
pub(crate) async fn work_off(receiver: &Receiver, scene: &Scene, wanted: &Wanted) -> Drained {
    let before = Before::look(scene).await;
    let worker = scene.worker().await;
    before.until_settled(receiver, scene, vec![worker], wanted).await
}

impl Before {
    pub(crate) async fn look(scene: &Scene) -> Self {
        Self { rows: scene.delivered_rows().await, cpu: cpu::used(), redis_reads: scene.redis_reads().await }
    }

    /// Returns when all has come and is recorded, or nothing comes any more. The workers are ended then; of the commits, those of the first count.
    pub(crate) async fn until_settled(self, receiver: &Receiver, scene: &Scene, workers: Vec<Process>, wanted: &Wanted) -> Drained {
        let count = wanted.count();
        receiver.wait_for(count).await;
        let since = Instant::now();
        while !scene.is_settled().await && since.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let settled = clock::now().timestamp_micros();
        let cpu = cpu::per_unit(&self.cpu, &cpu::used(), count);
        let redis_reads = scene.redis_reads().await - self.redis_reads;
        let (commits, rows) = (Commits::of(&workers[0].api()).await, scene.delivered_rows().await - self.rows);
        let mut complaints = Vec::new();
        for worker in workers {
            complaints.extend(stage::end(worker).await);
        }
        // Only now: what came after all was settled would be a duplicate.
        let tally = Tally::against(wanted, &receiver.take().await);
        Drained {
            sent_per_second: rate(count, tally.last - tally.first),
            per_second: rate(count, settled - tally.first),
            wanted: count,
            rows,
            tally,
            cpu,
            commits,
            redis_reads: Some(redis_reads),
            complaints,
        }
    }
}

/// 0 where nothing came.
#[expect(clippy::cast_precision_loss, reason = "a run takes no 2^52 microseconds")]
pub(crate) fn rate(count: u32, micros: i64) -> f64 {
    if micros > 0 { f64::from(count) / (micros as f64 / 1e6) } else { 0.0 }
}
