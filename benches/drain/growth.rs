//! What a delivery costs in a database that holds millions already, against an empty one; and what becomes of the total when several workers share
//! the same cores.
//!
//! Both databases are there at once and take turns, and so do the numbers of workers: what else the machine does changes from minute to minute. The
//! workers wait already when all events come in one moment. Each figure is the median of three.

use std::time::Instant;

use serde::Serialize;

use crate::cpu::Cpu;
use crate::drain::{Before, CHUNK, Drained};
use crate::filled::load;
use crate::goals::median;
use crate::receipts::Receiver;
use crate::sample::{EVENT_TYPE, Sample};
use crate::stage::{self, Scene, Stage};

const TURNS: u32 = 3;
const WORKERS: [u32; 3] = [1, 2, 4];
/// The endpoint's name and its path, and its tenant, in which there is nothing else.
const NAME: &str = "growth";
/// Where the events wait until all workers do.
const LATER: &str = "bench_later";

#[derive(Default, Serialize)]
pub(crate) struct Growth {
    /// Deliveries in the database that is not empty, and how long it took to load them.
    pub(crate) rows: u32,
    pub(crate) load_seconds: f64,
    /// What each measurement delivers.
    pub(crate) events: u32,
    pub(crate) empty: Rates,
    pub(crate) full: Rates,
    /// By the number of workers, from one on, with empty tables.
    pub(crate) workers: Vec<(u32, Rates)>,
    pub(crate) duplicates: usize,
    /// Not received, or not recorded.
    pub(crate) losses: usize,
    pub(crate) complaints: Vec<String>,
}

/// Deliveries until all is recorded.
#[derive(Default, Serialize)]
pub(crate) struct Rates {
    /// Of each turn.
    per_second: Vec<f64>,
    /// For each second of CPU that worker, servers and receiver used.
    per_cpu_second: Vec<f64>,
    /// Microseconds for each delivery.
    cpu: Vec<Cpu>,
}

impl Rates {
    fn add(&mut self, drained: &Drained) {
        self.per_second.push(drained.per_second);
        self.per_cpu_second.push(1e6 / drained.cpu.values().sum::<f64>());
        self.cpu.push(drained.cpu.clone());
    }

    pub(crate) fn cpu(&self) -> Cpu {
        let parts = self.cpu.first().into_iter().flat_map(Cpu::keys);
        parts.map(|part| (*part, median(&self.cpu.iter().filter_map(|cpu| cpu.get(part).copied()).collect::<Vec<_>>()))).collect()
    }

    pub(crate) fn per_second(&self) -> f64 {
        median(&self.per_second)
    }

    pub(crate) fn per_cpu_second(&self) -> f64 {
        median(&self.per_cpu_second)
    }
}

impl Growth {
    /// With millions of rows against none: deliveries for each second of CPU, and for each second.
    pub(crate) fn with_rows(&self) -> (f64, f64) {
        (self.full.per_cpu_second() / self.empty.per_cpu_second(), self.full.per_second() / self.empty.per_second())
    }

    /// The least that several workers deliver, against one.
    pub(crate) fn with_workers(&self) -> f64 {
        let one = self.workers.first().map_or(f64::NAN, |(_, one)| one.per_second());
        self.workers.iter().map(|(_, several)| several.per_second() / one).fold(f64::INFINITY, f64::min)
    }

    fn note(&mut self, drained: Drained) {
        let unrecorded = i64::from(drained.wanted).abs_diff(drained.rows);
        self.duplicates += drained.tally.duplicates;
        self.losses += drained.tally.losses.max(usize::try_from(unrecorded).unwrap_or(usize::MAX));
        self.complaints.extend(drained.complaints);
    }
}

/// Of `rows` deliveries; each measurement delivers so many events as the sample has.
pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, rows: u32, sample: impl Fn(&str) -> Sample, say: fn(&str)) -> Growth {
    let (empty, full) = (stage.empty().await, stage.beside(1).await);
    // The oldest deliveries that are loaded would be removed.
    let [empty, full] = [empty, full].map(|scene| scene.counting(NAME).set("POSTHASTE__RETENTION__DAYS", "36500"));
    say(&format!("\ngrowth: {rows} deliveries are loaded\n"));
    let started = Instant::now();
    load::fill(&full.sql, rows, say).await;
    let load_seconds = started.elapsed().as_secs_f64();
    load::endpoints(&empty.sql).await;
    for scene in [&empty, &full] {
        let statement = "INSERT INTO webhook_endpoints (name, tenant, url, event_types) VALUES ($1, $1, $2, '{*}')";
        scene.sql.execute(statement, &[&NAME, &receiver.url(NAME)]).await.expect("an endpoint");
        stage::end(scene.first_worker().await).await;
    }
    let events = sample(NAME).count;
    let workers = WORKERS.map(|count| (count, Rates::default())).into();
    let mut growth = Growth { rows, load_seconds, events, workers, ..Growth::default() };
    for turn in 0..TURNS {
        clear(&empty).await;
        // None is always the first.
        let order = if turn % 2 == 0 { [true, false] } else { [false, true] };
        for with_rows in order {
            let (scene, name) = if with_rows { (&full, "full") } else { (&empty, "empty") };
            let drained = all_at_once(receiver, scene, &sample(&format!("{NAME}-{name}-{turn}")), 1).await;
            if with_rows { &mut growth.full } else { &mut growth.empty }.add(&drained);
            growth.note(drained);
        }
    }
    for turn in 0..TURNS {
        for (index, count) in WORKERS.into_iter().enumerate() {
            clear(&empty).await;
            let drained = all_at_once(receiver, &empty, &sample(&format!("{NAME}-{count}-{turn}")), count).await;
            growth.workers[index].1.add(&drained);
            growth.note(drained);
        }
    }
    growth
}

async fn clear(scene: &Scene) {
    let statement = "TRUNCATE webhook_events, webhook_deliveries, webhook_past_attempts";
    scene.sql.batch_execute(statement).await.expect("the tests' user may");
}

async fn all_at_once(receiver: &Receiver, scene: &Scene, sample: &Sample, workers: u32) -> Drained {
    let entries: Vec<_> = (0..sample.count).map(|number| sample.of_tenant(number, EVENT_TYPE, NAME)).collect();
    let (last, others) = entries.split_last().expect("at least one");
    for chunk in others.chunks(CHUNK) {
        scene.push_onto(LATER, chunk).await;
    }
    scene.begin().await;
    let mut started = Vec::new();
    for _ in 0..workers {
        started.push(scene.worker().await);
    }
    let before = Before::look(scene).await;
    scene.release(LATER, last).await;
    let wanted = sample.ids().map(|id| (NAME, id)).collect();
    before.until_settled(receiver, scene, started, &wanted).await
}
