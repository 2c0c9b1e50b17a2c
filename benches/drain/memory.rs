//! How much memory a worker holds: with a million events in the list, and with a hundred thousand endpoints and a million retries that are not
//! due; and what each of those costs Redis.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use posthaste::model::clock;
use posthaste::model::delivery::DeliveryId;
use posthaste::model::event::EventKey;
use serde::Serialize;

use crate::bad;
use crate::drain;
use crate::due::{Row, Waiting};
use crate::goals::median;
use crate::harness::process::Process;
use crate::receipts::Receiver;
use crate::sample::Sample;
use crate::stage::{self, Scene, Stage};
use crate::tenants::Tenants;

const ENDPOINTS: u32 = 100_000;
/// Deliveries of one event that wait.
const OF_EACH: u32 = 10;
const CHUNK: usize = 20_000;
/// How often memory is looked at, and for how long while the list is drained.
const STEP: Duration = Duration::from_millis(100);
const LASTS: Duration = Duration::from_secs(20);
/// The deliveries that go past the retries have so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// For how long a worker has nothing to do before it counts as idle.
const IDLE: Duration = Duration::from_secs(3);
/// The retries are due so long from now.
const DUE_IN: Duration = Duration::from_secs(2 * 86_400);

/// Of one worker, in KiB.
#[derive(Serialize)]
pub(crate) struct Held {
    /// In the middle of the second half of the time in which it delivered.
    pub(crate) steady: f64,
    /// At any time since its start, as the kernel noted it.
    pub(crate) most: f64,
    /// Deliveries meanwhile.
    pub(crate) delivered: usize,
}

#[derive(Serialize)]
pub(crate) struct Memory {
    /// Events in the list at first.
    pub(crate) events: u32,
    pub(crate) with_events: Held,
    /// Retries that wait.
    pub(crate) retries: u32,
    /// KiB, of a worker that knows the endpoints and has nothing to do.
    pub(crate) idle: f64,
    pub(crate) with_retries: Held,
    /// KiB, the most of the worker that put all of them back into an empty Redis.
    pub(crate) restoring: f64,
    /// Bytes of Redis for each.
    pub(crate) redis: f64,
    pub(crate) duplicates: usize,
    /// Deliveries that did not come, those that came and were not recorded, and retries that were not put back.
    pub(crate) missing: usize,
    pub(crate) complaints: Vec<String>,
}

/// What a worker was like until its end.
struct Seen {
    held: Held,
    duplicates: usize,
    /// Received and not recorded, or the other way round.
    missing: usize,
    complaints: Vec<String>,
}

/// What there is beside the deliveries, as in [`Memory`].
struct Waits {
    idle: f64,
    restoring: f64,
    redis: f64,
    /// Not on the schedule.
    missing: usize,
}

/// `count` events, and `count` retries.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, count: u32, body_bytes: usize) -> Memory {
    let (mut duplicates, mut missing, mut complaints) = (0, 0, Vec::new());
    let mut add = |seen: Seen| {
        duplicates += seen.duplicates;
        missing += seen.missing;
        complaints.extend(seen.complaints);
        seen.held
    };
    let with_events = add(with_events(receiver, stage, &Sample::new("memory-list", count, body_bytes)).await);
    let sample = Sample::new("memory-retries", count.min(ENDPOINTS), body_bytes);
    let (waiting, seen) = with_retries(receiver, stage, count, &sample).await;
    let with_retries = add(seen);
    missing += waiting.missing;
    let Waits { idle, restoring, redis, .. } = waiting;
    Memory { events: count, with_events, retries: count, idle, with_retries, restoring, redis, duplicates, missing, complaints }
}

/// Some of the list is drained; the worker ends in the middle of it.
async fn with_events(receiver: &Receiver, stage: &Stage, sample: &Sample) -> Seen {
    let scene = stage.scene(&receiver.url(&sample.name)).await;
    drain::push(&scene, sample.ids().map(|id| sample.body(&id))).await;
    let worker = scene.worker().await;
    let seen = watch(&worker, LASTS, async || scene.unclaimed().await == 0).await;
    Seen::of(&scene, receiver, worker, &seen).await
}

/// What waits is in PostgreSQL alone at first, so that all that Redis holds for it is what the program itself put there. Then another worker
/// delivers the sample's events to as many of the same endpoints.
async fn with_retries(receiver: &Receiver, stage: &Stage, retries: u32, sample: &Sample) -> (Waits, Seen) {
    let (scene, tenants) = (stage.empty().await, Tenants { endpoints: ENDPOINTS });
    tenants.register(&scene, receiver, &sample.name).await;
    load(&scene, tenants, retries, &sample.data()).await;
    let empty = scene.redis_memory().await;
    let first = scene.first_worker().await;
    let restoring = kib(&first, "VmHWM:");
    let restored = bad::errors(stage::end(first).await);
    let worker = scene.worker().await;
    tokio::time::sleep(IDLE).await;
    let redis = (scene.redis_memory().await - empty) / f64::from(retries);
    let missing = usize::try_from(scene.scheduled().await).expect("a count").abs_diff(retries as usize);
    let idle = kib(&worker, "VmRSS:");
    drain::push(&scene, (0..sample.count).map(|number| tenants.entry(sample, number))).await;
    let all_came = async || receiver.count().await >= sample.count as usize && scene.is_settled().await;
    let resident = watch(&worker, PATIENCE, all_came).await;
    let mut seen = Seen::of(&scene, receiver, worker, &resident).await;
    seen.missing += (sample.count as usize).saturating_sub(seen.held.delivered);
    seen.complaints.extend(restored);
    (Waits { idle, restoring, redis, missing }, seen)
}

/// The worker's memory, until something is true or so much time is over.
async fn watch(worker: &Process, lasts: Duration, until: impl AsyncFn() -> bool) -> Vec<f64> {
    let (started, mut resident) = (Instant::now(), Vec::new());
    while resident.is_empty() || started.elapsed() < lasts && !until().await {
        tokio::time::sleep(STEP).await;
        resident.push(kib(worker, "VmRSS:"));
    }
    resident
}

impl Seen {
    /// Ends the worker.
    async fn of(scene: &Scene, receiver: &Receiver, worker: Process, resident: &[f64]) -> Self {
        let (steady, most) = (median(&resident[resident.len() / 2..]), kib(&worker, "VmHWM:"));
        let complaints = bad::errors(stage::end(worker).await);
        let receipts = receiver.take().await;
        let came: HashSet<_> = receipts.iter().map(|receipt| (&receipt.path, &receipt.id)).collect();
        let recorded = usize::try_from(scene.delivered_rows().await).expect("a count");
        let (duplicates, missing) = (receipts.len() - came.len(), came.len().abs_diff(recorded));
        Self { held: Held { steady, most, delivered: came.len() }, duplicates, missing, complaints }
    }
}

/// Retries whose first attempt failed, spread over all endpoints, ten of each event.
async fn load(scene: &Scene, tenants: Tenants, retries: u32, data: &str) {
    let accepted_at = clock::now();
    let due = clock::unix_seconds(accepted_at + DUE_IN);
    let waiting = Waiting { accepted: clock::unix_seconds(accepted_at), due, attempts: 1, data };
    // The next endpoint of the same tenant has a number that is so much higher.
    let step = ENDPOINTS / OF_EACH;
    let row = |number: u32| {
        let first = number / OF_EACH % step;
        let endpoint = first + number % OF_EACH * step;
        let (tenant, event) = (tenants.tenant(endpoint), format!("waits-{}", number / OF_EACH));
        let key = EventKey { tenant: tenant.as_str().into(), id: event.as_str().into() };
        let endpoint = i64::from(endpoint) + 1;
        Row { id: DeliveryId::of(accepted_at, &key, endpoint).to_string(), endpoint, tenant, event }
    };
    for first in (0..retries).step_by(CHUNK) {
        let rows: Vec<_> = (first..retries).take(CHUNK).map(row).collect();
        scene.record_waiting(&rows, &waiting).await;
    }
    scene.sql.batch_execute("ANALYZE").await.expect("the tests' user may");
    scene.begin().await;
}

/// A line of the kernel's about the process.
fn kib(worker: &Process, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("every process has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
