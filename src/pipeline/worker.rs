//! Puts the road together, runs it, and drains it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::Budget;
use super::catalog::LiveCatalog;
use super::intake::Intake;
use super::lanes::Lanes;
use super::leases::Leases;
use super::limits::Limits;
use super::outbox;
use super::record::Recorder;
use super::requeue::Requeuing;
use super::retention::Retention;
use super::runs::{self, Runner};
use super::sending::Sending;
use super::settle::{AHEAD, Settler};
use super::{pacing, stopping, sweep};
use crate::config::{BreakerSettings, RetentionSettings, RetrySettings, WorkerSettings};
use crate::ports::{Observe, Outbox, Queue, Records, Traces};
use crate::sender::Sender;

/// How many deliveries a worker holds for each request that it may have in flight: most of them wait for their commit. With four, a quarter of
/// what the machine can do lay idle, and endpoints that hang took a sixth of the room from the others.
const HELD_OF_EACH: usize = 6;
/// How long the last commit and settlement may take after the last attempt ended.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// What a worker is made of.
pub struct Parts {
    pub queue: Arc<dyn Queue>,
    pub records: Arc<dyn Records>,
    pub catalog: Arc<LiveCatalog>,
    pub sender: Sender,
    pub observe: Arc<dyn Observe>,
    /// Where spans go; without it none is made.
    pub traces: Option<Arc<dyn Traces>>,
    pub worker: WorkerSettings,
    pub breaker: BreakerSettings,
    pub retry: RetrySettings,
    pub lease: Duration,
    pub max_event_bytes: usize,
    pub sweep_interval: Duration,
    pub retention: RetentionSettings,
    /// How long an endpoint may fail before it is disabled; zero is for ever.
    pub disable_after: Duration,
    /// Dead letters that are enqueued again.
    pub requeue: Requeuing,
    /// Door 3, where the records have one.
    pub outbox: Option<Box<dyn Outbox>>,
}

/// A running worker.
pub struct Worker {
    sending: Arc<Sending>,
    /// Loops that bring something in; they end when `stop` is cancelled.
    intakes: TaskTracker,
    /// Requests in flight.
    requests: TaskTracker,
    /// Recorder and settler; they end when nobody reports any more.
    writers: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when a loop ends that nobody asked to.
    failed: CancellationToken,
    abort: CancellationToken,
    abort_writers: CancellationToken,
}

impl Worker {
    /// Starts claiming, sending and recording.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let (stop, abort, abort_writers) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let failed = CancellationToken::new();
        let (intakes, requests, writers) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        let budget = budget(&parts);
        let leases = Arc::new(Leases::default());
        let (reports, reported) = mpsc::channel(parts.worker.commit_batch * 2);
        let (settlements, committed) = mpsc::channel(AHEAD);

        intakes.spawn(watched(runs::run(Runner::of(&parts), stop.clone()), &failed));
        intakes.spawn(watched(Retention::of(&parts).run(stop.clone()), &failed));

        let settler = Settler {
            queue: Arc::clone(&parts.queue),
            leases: Arc::clone(&leases),
            lease: parts.lease,
            observe: Arc::clone(&parts.observe),
        };
        let recorder = Recorder {
            records: Arc::clone(&parts.records),
            budget: Arc::clone(&budget),
            leases: Arc::clone(&leases),
            observe: Arc::clone(&parts.observe),
            settlements,
            commit_batch: parts.worker.commit_batch,
            hold: parts.worker.hold,
            lease: parts.lease,
            catalog: Arc::clone(&parts.catalog),
            disable_after: parts.disable_after,
        };
        writers.spawn(watched(settler.run(committed, abort_writers.clone()), &failed));
        writers.spawn(watched(recorder.run(reported, abort_writers.clone()), &failed));

        let sending = Arc::new(Sending {
            limits: Limits::new(parts.worker.in_flight * 2),
            lanes: Lanes::new(parts.worker, parts.breaker),
            sender: parts.sender,
            catalog: Arc::clone(&parts.catalog),
            retry: parts.retry,
            returns: Mutex::default(),
            reports,
            observe: Arc::clone(&parts.observe),
            budget: Arc::clone(&budget),
            traces: parts.traces.clone(),
            tasks: requests.clone(),
            abort: abort.clone(),
        });
        let intake = Arc::new(Intake {
            queue: parts.queue,
            records: parts.records,
            catalog: parts.catalog,
            sending: Arc::clone(&sending),
            budget,
            leases,
            observe: parts.observe,
            traces: parts.traces,
            claim_batch: parts.worker.claim_batch,
            max_event_bytes: parts.max_event_bytes,
            asked: CancellationToken::new(),
            stop: stop.clone(),
        });
        spawn_intakes(&intakes, &failed, &intake, parts.outbox, parts.sweep_interval);
        intakes.spawn(watched(Arc::clone(&sending).watch_lanes(parts.worker.park_after, stop.clone()), &failed));
        Self { sending, intakes, requests, writers, stop, failed, abort, abort_writers }
    }

    /// Completes when a loop panicked: what is left of this worker only does harm, and another one takes over what it held.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Lets nothing more start. What follows is [`Worker::drain`].
    pub fn halt(&self) {
        self.stop.cancel();
        self.sending.lanes.shut();
    }

    /// Stops claiming, gives back what has not started, lets running attempts finish for `grace`, gives back the rest, and
    /// records all of it. True when everything was recorded and settled.
    pub async fn drain(self, grace: Duration) -> bool {
        self.halt();
        self.intakes.close();
        if timeout(grace, self.land()).await.is_err() {
            tracing::warn!(
                in_flight = self.sending.lanes.in_flight(),
                "the time for shutting down is over: running attempts are given back"
            );
            self.abort.cancel();
            // With the records away, nothing can be given back either, and nobody must wait for them for ever.
            if timeout(LAST_COMMIT, self.land()).await.is_err() {
                self.abort_writers.cancel();
            }
        }
        // Nobody reports any more, so the recorder ends, and the settler after it.
        drop(self.sending);
        self.writers.close();
        let finished = timeout(LAST_COMMIT, self.writers.wait()).await.is_ok() && !self.abort_writers.is_cancelled();
        if !finished {
            tracing::error!("the last commits could not be made in time: their claims will be taken over when their leases run out");
            self.abort_writers.cancel();
        }
        finished
    }

    /// Completes when nothing comes in and nothing is in flight any more.
    async fn land(&self) {
        self.sending.close().await;
        self.intakes.wait().await;
        self.requests.close();
        self.requests.wait().await;
    }
}

fn budget(parts: &Parts) -> Arc<Budget> {
    let most_held = (parts.worker.in_flight * HELD_OF_EACH).max(parts.worker.claim_batch * 2);
    parts.observe.capacity(parts.worker.in_flight as u64, most_held as u64);
    Arc::new(Budget::new(most_held))
}

/// Starts everything that brings something in or puts something back.
fn spawn_intakes(
    tasks: &TaskTracker,
    failed: &CancellationToken,
    intake: &Arc<Intake>,
    outbox: Option<Box<dyn Outbox>>,
    sweep_interval: Duration,
) {
    let own = || Arc::clone(intake);
    let stop = || intake.stop.clone();
    tasks.spawn(watched(own().entries(), failed));
    tasks.spawn(watched(own().accepted(), failed));
    tasks.spawn(watched(own().due(), failed));
    if let Some(outbox) = outbox {
        tasks.spawn(watched(outbox::run(own(), outbox, stop()), failed));
    }
    tasks.spawn(watched(stopping::run(own()), failed));
    tasks.spawn(watched(pacing::run(own(), stop()), failed));
    let sending = || Arc::clone(&intake.sending);
    tasks.spawn(watched(sending().ask_for_slots(Arc::clone(&intake.queue), stop()), failed));
    tasks.spawn(watched(sending().release_slots(stop()), failed));
    tasks.spawn(watched(sweep::take_over(own(), sweep_interval, stop()), failed));
    tasks.spawn(watched(sweep::look(own(), sweep_interval, stop()), failed));
    tasks.spawn(watched(sweep::restore(own(), stop()), failed));
}

/// Runs a loop, and says so when a panic ends it.
fn watched<F: Future<Output = ()> + Send>(run: F, failed: &CancellationToken) -> impl Future<Output = ()> + Send + use<F> {
    let guard = failed.clone().drop_guard();
    async move {
        run.await;
        guard.disarm();
    }
}
