//! A hundred thousand endpoints and a backlog that is all due at once, as after a long outage; every tenth endpoint is bad, and one of
//! those has a third of the backlog.

use std::time::{Duration, Instant};

use posthaste::model::clock;
use posthaste::model::delivery::DeliveryId;
use posthaste::model::event::EventKey;
use serde::Serialize;

use crate::bad;
use crate::crowd::Ten;
use crate::due::{Row, Waiting};
use crate::harness::process::Process;
use crate::receipts::Receiver;
use crate::stage::{self, Scene, Stage};

const ENDPOINTS: u32 = 100_000;
const EVERY: u32 = 10;
const CHUNK: usize = 20_000;
/// How often the worker's memory is looked at.
const STEP: Duration = Duration::from_secs(1);
/// The healthy ones have so long.
const PATIENCE: Duration = Duration::from_secs(900);
/// Claims are counted for so long, after the healthy ones have everything and the breakers had time to open.
const WATCH: Duration = Duration::from_secs(60);

#[derive(Serialize)]
pub(crate) struct Backlog {
    pub(crate) deliveries: u32,
    /// Of healthy endpoints.
    pub(crate) healthy: u32,
    /// How many of those came, and in how long, in seconds.
    pub(crate) came: usize,
    pub(crate) seconds: f64,
    pub(crate) duplicates: usize,
    /// KiB, of a worker that knows the endpoints and has nothing to do.
    pub(crate) idle: usize,
    /// KiB, the most at any second.
    pub(crate) most: usize,
    /// What still waits.
    pub(crate) waiting: u64,
    /// Claims of deliveries a second, when only bad endpoints had something waiting.
    pub(crate) claims_per_second: f64,
    pub(crate) complaints: Vec<String>,
}

pub(crate) async fn measure(receiver: &Receiver, stage: &Stage, deliveries: u32) -> Backlog {
    let scene = stage.empty().await.set("POSTHASTE__SHUTDOWN__GRACE", "1");
    register(&scene, receiver).await;
    // The first worker finds Redis empty, and marks it as known; then it has the endpoints in memory and nothing to do.
    let first = scene.worker().await;
    tokio::time::sleep(STEP * 3).await;
    let idle = first.resident();
    stage::end(first).await;
    let healthy = load(&scene, deliveries).await;
    scene.begin().await;
    let worker = scene.worker().await;
    let (mut most, started, mut came) = (0, Instant::now(), 0);
    while came < healthy as usize && started.elapsed() < PATIENCE {
        tokio::time::sleep(STEP).await;
        most = most.max(worker.resident());
        came = receiver.count().await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (claims_per_second, most_later) = watch(&scene, &worker).await;
    let waiting = scene.scheduled().await;
    let complaints = bad::errors(stage::end(worker).await);
    let receipts = receiver.take().await;
    let mut paths: Vec<_> = receipts.iter().map(|receipt| (&receipt.path, &receipt.id)).collect();
    paths.sort_unstable();
    paths.dedup();
    Backlog {
        deliveries,
        healthy,
        came: paths.len(),
        seconds,
        duplicates: receipts.len() - paths.len(),
        idle,
        most: most.max(most_later),
        waiting,
        claims_per_second,
        complaints,
    }
}

async fn register(scene: &Scene, receiver: &Receiver) {
    let url = |number: u32| {
        let path = match Ten::Mixed.manners(number / EVERY) {
            Some(manners) if number.is_multiple_of(EVERY) => format!("{manners}/{number}"),
            _ => format!("backlog/{number}"),
        };
        receiver.nth_url(number as usize, &path)
    };
    let urls: Vec<_> = (1..=ENDPOINTS).map(url).collect();
    let statement = "INSERT INTO webhook_endpoints (name, url, event_types) \
                     SELECT 'backlog ' || number, url, '{order.created}' FROM unnest($1::text[]) WITH ORDINALITY AS u (url, number) ORDER BY number";
    scene.sql.execute(statement, &[&urls]).await.expect("endpoints");
}

/// Writes what an outage leaves behind: events that are routed, and deliveries that are due. Answers how many of those are for healthy endpoints.
async fn load(scene: &Scene, deliveries: u32) -> u32 {
    let accepted_at = clock::now() - Duration::from_secs(3600);
    let due = clock::unix_seconds(accepted_at);
    let waiting = Waiting { accepted: due, due, attempts: 0, data: "{\"order\": 184467440737}" };
    // Endpoint 10 hangs.
    let one = deliveries / 3;
    let endpoint = |number: u32| if number < one { EVERY } else { 1 + (number - one) % ENDPOINTS };
    let row = |number: u32| {
        // Each event goes to ten endpoints; those for the one endpoint go to that one alone.
        let event = if number < one { format!("one-{number}") } else { format!("all-{}", (number - one) / 10) };
        let key = EventKey { tenant: "default".into(), id: event.as_str().into() };
        let endpoint = i64::from(endpoint(number));
        Row { id: DeliveryId::of(accepted_at, &key, endpoint).to_string(), endpoint, tenant: "default".to_owned(), event }
    };
    for first in (0..deliveries).step_by(CHUNK) {
        let rows: Vec<_> = (first..deliveries).take(CHUNK).map(row).collect();
        scene.load_waiting(&rows, &waiting).await;
    }
    scene.sql.batch_execute("ANALYZE").await.expect("the tests' user may");
    u32::try_from((0..deliveries).filter(|number| !endpoint(*number).is_multiple_of(EVERY)).count()).expect("fewer than all")
}

/// How many deliveries are claimed in a second, and the most memory meanwhile.
async fn watch(scene: &Scene, worker: &Process) -> (f64, usize) {
    tokio::time::sleep(WATCH).await;
    let (before, started, mut most) = (scene.looked_up().await, Instant::now(), 0);
    while started.elapsed() < WATCH {
        tokio::time::sleep(STEP).await;
        most = most.max(worker.resident());
    }
    let claims = scene.looked_up().await - before;
    #[expect(clippy::cast_precision_loss, reason = "there are no 2^52 claims")]
    (claims as f64 / started.elapsed().as_secs_f64(), most)
}
