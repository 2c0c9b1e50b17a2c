//! The only file that names concrete backends: chooses, starts, supervises and drains.

mod ready;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::ready::Parts as ReadyParts;
use crate::api::{self, Api, Calls};
use crate::backends::postgres::Postgres;
use crate::backends::redis::RedisQueue;
use crate::backends::sqlite::Sqlite;
use crate::config::{Role, Settings};
use crate::demo;
use crate::pipeline::{
    Checker, GroupedDoor, LiveCatalog, Parts, PutBack, Requeuing, Worker, persist, watch_parts, watch_pool, watch_queue, watch_records,
};
use crate::ports::{Catalog, Door, Observe, Outbox, Queue, Records, Traces};
use crate::sender::{Sender, guard::Guard};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Collecting;

/// Signals that come this close together are one.
const ONE_WISH: Duration = Duration::from_millis(1);
/// How long open requests to our own API may take when it shuts down.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Endpoints whose secrets are encrypted in one step.
const ENCRYPTED_AT_ONCE: usize = 100;

/// The backends of one mode, behind their traits.
struct Backends {
    queue: Arc<dyn Queue>,
    records: Arc<dyn Records>,
    catalog: Arc<dyn Catalog>,
    /// Waits for servers that are away, and makes the tables.
    prepare: Prepare,
}

enum Prepare {
    Postgres(Arc<Postgres>),
    /// The file is made when it is opened.
    Done,
}

impl Prepare {
    /// Nobody else can write into the file, so only Postgres has door 3.
    fn outbox(&self) -> Option<Box<dyn Outbox>> {
        match self {
            Self::Postgres(postgres) => Some(Box::new(postgres.outbox())),
            Self::Done => None,
        }
    }
}

/// Runs the production mode until it is told to stop.
///
/// # Errors
/// When it cannot start, or could not finish what it had begun.
pub async fn serve(role: Role, settings: Settings) -> Result<()> {
    warn_without_key(&settings);
    let observe: Arc<dyn Observe> = Arc::new(Metrics::new(settings.metrics));
    let postgres = Arc::new(Postgres::new(&settings.postgres)?.with_keys(&settings.security).observed(observe.clone()));
    let queue = RedisQueue::open(&settings.redis, Some(observe.clone()))?;
    let backends = Backends { queue, records: postgres.clone(), catalog: postgres.clone(), prepare: Prepare::Postgres(postgres) };
    run(role, &settings, backends, observe, None).await
}

/// Runs the embedded mode until it is told to stop; with `demo`, on a file of its own and with a receiver that shows what it gets.
///
/// # Errors
/// When it cannot start, or could not finish what it had begun.
pub async fn dev(mut settings: Settings, with_demo: bool, out: Box<dyn Write + Send + Sync>) -> Result<()> {
    let scratch = with_demo.then(demo::Scratch::new).transpose().context("cannot make a place for the demo's file")?;
    if let Some(scratch) = &scratch {
        settings.sqlite.path = scratch.file();
    }
    let observe: Arc<dyn Observe> = Arc::new(Metrics::new(settings.metrics));
    let file = Sqlite::open(&settings.sqlite.path, settings.redis.lease)?.with_keys(&settings.security);
    let file = Arc::new(file.observed(&observe));
    let backends = Backends { queue: file.clone(), records: file.clone(), catalog: file, prepare: Prepare::Done };
    if !with_demo {
        warn_without_key(&settings);
        tracing::info!(file = %settings.sqlite.path.display(), "everything is kept in one file");
    }
    run(Role::All, &settings, backends, observe, with_demo.then_some(out)).await
}

/// Makes the tables in Postgres, or brings them up to date.
///
/// # Errors
/// When Postgres cannot be reached, or refuses.
pub async fn migrate(settings: &Settings) -> Result<()> {
    Postgres::new(&settings.postgres)?.migrate().await?;
    tracing::info!("the tables are up to date");
    Ok(())
}

fn warn_without_key(settings: &Settings) {
    if settings.security.master_keys.is_empty() {
        tracing::warn!("secrets are kept unencrypted, since security.master_key is not set: make a key with `openssl rand -base64 32`");
    }
}

/// Encrypts the secrets of all endpoints with the first master key, page by page; `embedded`: those in the file. May be stopped at any
/// time and begun again, while workers run.
///
/// # Errors
/// When there is no key, when the backend is away, and when some secrets cannot be read.
pub async fn encrypt_secrets(settings: Settings, embedded: bool) -> Result<()> {
    anyhow::ensure!(
        !settings.security.master_keys.is_empty(),
        "there is nothing to encrypt with: set security.master_key (POSTHASTE__SECURITY__MASTER_KEY); make a key with `openssl rand -base64 32`"
    );
    let catalog: Box<dyn Catalog> = if embedded {
        Box::new(Sqlite::open(&settings.sqlite.path, settings.redis.lease)?.with_keys(&settings.security))
    } else {
        let postgres = Postgres::new(&settings.postgres)?.with_keys(&settings.security);
        postgres.migrate().await?;
        Box::new(postgres)
    };
    let (mut looked_at, mut encrypted, mut unreadable, mut next) = (0, 0, 0, Some(i64::MIN));
    while let Some(after) = next {
        let done = catalog.encrypt_secrets(after, ENCRYPTED_AT_ONCE).await?;
        (looked_at, encrypted, next) = (looked_at + done.looked_at, encrypted + done.encrypted, done.next);
        for (endpoint_id, reason) in done.unreadable {
            unreadable += 1;
            tracing::error!(endpoint_id, reason, "an endpoint's secrets are left as they are");
        }
    }
    tracing::info!(endpoints = looked_at, encrypted, "all other endpoints' secrets are encrypted with the first master key");
    anyhow::ensure!(
        unreadable == 0,
        "the secrets of {unreadable} endpoint(s) cannot be read: add their keys to security.master_key, and begin again"
    );
    Ok(())
}

async fn run(
    role: Role,
    settings: &Settings,
    backends: Backends,
    observe: Arc<dyn Observe>,
    demo_out: Option<Box<dyn Write + Send + Sync>>,
) -> Result<()> {
    let listener = listen(settings).await?;
    let address = listener.local_addr()?;
    let collecting = Collecting::start(&settings.tracing, &settings.connections.more_roots, &observe)?;
    let traces = collecting.as_ref().map(Collecting::traces);
    let guard = Guard::new(settings.guard.clone());
    let sender = Sender::new(guard.clone(), &settings.connections)?;
    let catalog = LiveCatalog::new(backends.catalog.clone(), guard, observe.clone());
    let ready = Arc::new(ReadyParts::new(backends.queue.clone(), backends.records.clone(), observe.clone(), role.has_worker()));
    let (stop, loops) = (CancellationToken::new(), TaskTracker::new());

    let (door, grouping) = GroupedDoor::new(backends.records.clone(), backends.queue.clone(), observe.clone());
    loops.spawn(grouping);
    let door = Arc::new(door);
    let requeue = requeuing(settings, &backends, door.clone());
    let calls = role.has_api().then(|| Calls {
        door: collecting.as_ref().map_or(door.clone() as Arc<dyn Door>, |collecting| collecting.door(door.clone())),
        catalog: catalog.clone(),
        records: backends.records.clone(),
        retries: Arc::new(PutBack { records: backends.records.clone(), queue: backends.queue.clone(), catalog: catalog.clone() }),
        tokens: settings.http.tokens.clone(),
        pacing: backends.queue.clone(),
        checks: Arc::new(Checker { sender: sender.clone() }),
        letters: backends.queue.clone(),
        requeue: Arc::new(requeue.clone()),
        max_event_bytes: settings.max_event_bytes,
        max_body_bytes: settings.http.max_body_bytes,
        defaults: settings.endpoints,
        keep_keyed: settings.retention.keyed,
        new_event_id,
    });
    let api = Api { readiness: ready.clone(), observe: observe.clone(), calls };
    loops.spawn(api::serve(listener, api, stop.clone()));
    tracing::info!(%address, ?role, "listening");

    let interrupted = interruption()?;
    tokio::pin!(interrupted);
    let started = tokio::select! {
        () = prepare(&backends.prepare, &catalog, &*observe) => true,
        () = &mut interrupted => false,
    };
    let mut finished = true;
    if started {
        loops.spawn(catalog.clone().follow(stop.clone()));
        watch(&loops, &backends, &observe, &stop);
        loops.spawn(gather_shards(role, settings, &backends, observe.clone(), stop.clone()));
        let worker = role.has_worker().then(|| worker(settings, &backends, &catalog, sender, (&observe, traces), requeue));
        ready.started();
        tracing::info!("ready");
        if let Some(out) = demo_out {
            let demo = demo::Demo { catalog: catalog.clone(), door: door.clone(), records: backends.records.clone(), api: address };
            loops.spawn(demo.run(out, stop.clone()));
        }
        finished = until_stopped(worker, interrupted, &ready, settings.shutdown_grace).await?;
    }
    stop.cancel();
    drop(door);
    end(loops, collecting).await;
    anyhow::ensure!(finished, "not everything could be recorded before the time was over: what is left will be repeated");
    tracing::info!("stopped");
    Ok(())
}

/// Waits for what runs beside the worker, and exports the last spans.
async fn end(loops: TaskTracker, collecting: Option<Collecting>) {
    loops.close();
    // A client that does not let go of its connection must not keep the process alive.
    let _ = tokio::time::timeout(LAST_ANSWERS, loops.wait()).await;
    if let Some(collecting) = collecting {
        collecting.finish().await;
    }
}

/// Works until a signal comes, then drains. Answers whether all of it was recorded.
async fn until_stopped(worker: Option<Worker>, signal: impl Future<Output = ()>, ready: &ReadyParts, grace: Duration) -> Result<bool> {
    let failed = async {
        match &worker {
            Some(worker) => worker.failed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signal => {}
        () = failed => anyhow::bail!("a part of the worker panicked: another one takes over when its leases run out"),
    }
    if let Some(worker) = &worker {
        worker.halt();
    }
    ready.stopping();
    // Said once it is so: whoever reads it may rely on nothing more being started.
    tracing::info!("stopping: a second signal stops at once");
    Ok(match worker {
        Some(worker) => worker.drain(grace).await,
        None => true,
    })
}

/// Shows what waits, until `stop`.
fn watch(loops: &TaskTracker, backends: &Backends, observe: &Arc<dyn Observe>, stop: &CancellationToken) {
    loops.spawn(watch_queue(backends.queue.clone(), observe.clone(), stop.clone()));
    loops.spawn(watch_parts(backends.queue.clone(), observe.clone(), stop.clone()));
    loops.spawn(watch_records(backends.records.clone(), observe.clone(), stop.clone()));
    loops.spawn(watch_pool(backends.records.clone(), observe.clone(), stop.clone()));
}

fn requeuing(settings: &Settings, backends: &Backends, door: Arc<dyn Door>) -> Requeuing {
    Requeuing { queue: backends.queue.clone(), records: backends.records.clone(), door, max_event_bytes: settings.max_event_bytes }
}

async fn listen(settings: &Settings) -> Result<TcpListener> {
    let address = settings.http.listen;
    let cannot = || format!("cannot listen on {address}: set POSTHASTE__HTTP__LISTEN to another address");
    TcpListener::bind(address).await.with_context(cannot)
}

fn worker(
    settings: &Settings,
    backends: &Backends,
    catalog: &Arc<LiveCatalog>,
    sender: Sender,
    (observe, traces): (&Arc<dyn Observe>, Option<Arc<dyn Traces>>),
    requeue: Requeuing,
) -> Worker {
    Worker::start(Parts {
        queue: backends.queue.clone(),
        records: backends.records.clone(),
        catalog: catalog.clone(),
        sender,
        observe: observe.clone(),
        traces,
        worker: settings.worker,
        breaker: settings.breaker,
        retry: settings.retry,
        lease: settings.redis.lease,
        max_event_bytes: settings.max_event_bytes,
        sweep_interval: settings.sweep_interval,
        retention: settings.retention,
        disable_after: settings.disable_after,
        requeue,
        outbox: backends.prepare.outbox(),
    })
}

/// Where the queue had shards once, and has none now, what is left in them is put where it is found.
fn gather_shards(
    role: Role,
    settings: &Settings,
    backends: &Backends,
    observe: Arc<dyn Observe>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let in_redis = matches!(backends.prepare, Prepare::Postgres(_));
    let redis = (in_redis && role.has_worker() && settings.redis.shards == 1).then(|| settings.redis.clone());
    async move {
        let Some(redis) = redis else { return };
        tokio::select! {
            () = persist("looking for shards", &*observe, || RedisQueue::gather_shards(&redis)) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Waits until the tables are there and the endpoints are known.
async fn prepare(how: &Prepare, catalog: &LiveCatalog, observe: &dyn Observe) {
    if let Prepare::Postgres(postgres) = how {
        persist("making the tables", observe, || postgres.migrate()).await;
    }
    persist("reading the endpoints", observe, || catalog.refresh()).await;
}

/// Completes at SIGTERM or SIGINT; after that, a second one ends the process at once.
fn interruption() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (first, seen) = tokio::sync::oneshot::channel();
    #[expect(clippy::disallowed_methods, reason = "it has to outlive everything, and ends the process when it acts")]
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => 143, _ = interrupt.recv() => 130 };
        next().await;
        let at = std::time::Instant::now();
        let _ = first.send(());
        // Tools such as `timeout` signal a process and then its group: that is one wish, not two.
        let mut code = next().await;
        while at.elapsed() < ONE_WISH {
            code = next().await;
        }
        tracing::warn!("stopped at once: what was in flight will be repeated");
        std::process::exit(code);
    });
    Ok(async move {
        let _ = seen.await;
    })
}

fn new_event_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
