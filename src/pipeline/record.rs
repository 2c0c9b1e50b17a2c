//! Records what came of everything, in commits that hundreds of deliveries share, and passes on what is to be settled.
//!
//! One task, in order: a delivery's second step is never committed before its first.

mod gather;
mod health;
mod owners;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::gather::{Gathered, Gatherer};
use self::owners::Owners;
use super::budget::Budget;
use super::flight::Report;
use super::leases::Leases;
use super::patience::Patience;
use super::settle::Settling;
use crate::faults;
use crate::model::clock;
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::{DeliveryState, Status};
use crate::ports::{BackendError, Batch, Observe, Records, Routed, Step};

/// How far apart commits begin while there is much to do. A flush to disk and the totals of an hour cost a commit the same however many
/// deliveries it has, and nobody waits for it: the receiver has its request, and has answered.
const APART: Duration = Duration::from_millis(15);
/// Where commits take long, because the machine is busy or other workers commit as well, they begin twice as long apart as the last one took,
/// but no longer than this: fewer and larger ones are less work for all.
const MOST_APART: Duration = Duration::from_millis(50);
/// From how many rows on a commit says that there is much to do: what comes one by one is committed at once.
const MUCH: u64 = 16;

/// What the recorder works with.
pub(super) struct Recorder {
    pub(super) records: Arc<dyn Records>,
    pub(super) budget: Arc<Budget>,
    pub(super) leases: Arc<Leases>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) settlements: mpsc::Sender<Settling>,
    pub(super) commit_batch: usize,
    /// How long an event waits for the last of its deliveries.
    pub(super) hold: Duration,
    pub(super) lease: Duration,
    /// A catalog that learns at once of endpoints that were disabled here.
    pub(super) catalog: Arc<super::LiveCatalog>,
    /// How long an endpoint may fail; zero is for ever.
    pub(super) disable_after: Duration,
}

impl Recorder {
    /// Runs until everything that reports is gone; `abort` gives up on records that are away.
    pub(super) async fn run(self, mut reports: mpsc::Receiver<Report>, abort: CancellationToken) {
        let mut gatherer = Gatherer::new(self.hold, Owners::new(Arc::clone(&self.catalog), self.disable_after));
        let mut received = Vec::with_capacity(self.commit_batch);
        let (mut begun, mut apart) = (Instant::now(), Duration::ZERO);
        loop {
            if !apart.is_zero() {
                tokio::time::sleep_until((begun + apart).into()).await;
            }
            begun = Instant::now();
            let open = tokio::select! {
                count = reports.recv_many(&mut received, self.commit_batch) => count > 0,
                () = gatherer.wait() => true,
            };
            let full = received.len() == self.commit_batch;
            for report in received.drain(..) {
                gatherer.add(report);
            }
            gatherer.flush(Instant::now(), !open);
            let gathered = gatherer.take();
            let (rows, started) = (gathered.rows(), Instant::now());
            if !gathered.is_empty() && !self.commit(gathered, &abort).await {
                return;
            }
            apart = match rows {
                ..MUCH => Duration::ZERO,
                // They cannot become larger.
                _ if full => APART,
                _ => (started.elapsed() * 2).clamp(APART, MOST_APART),
            };
            if !open {
                return;
            }
        }
    }

    /// False when it was given up.
    async fn commit(&self, mut gathered: Gathered, abort: &CancellationToken) -> bool {
        self.leases.hold_deliveries(&gathered.settling.settlement.leased);
        if !gathered.batch.is_empty() {
            let started = Instant::now();
            let Some(refused) = self.write_until_it_works(&mut gathered, abort).await else {
                return false;
            };
            gathered.settling.settlement.dead.extend(refused);
            self.observe.committed(gathered.rows(), started.elapsed());
            faults::crash_point("recorded");
        }
        self.budget.give_back(gathered.landed);
        for (event_type, delivered) in &gathered.settled {
            self.observe.settled(event_type, *delivered);
        }
        for one in &gathered.batch.disabled {
            tracing::warn!(endpoint_id = one.endpoint_id, reason = one.reason, "an endpoint is disabled");
        }
        if gathered.batch.changes_endpoints()
            && let Err(error) = self.catalog.refresh().await
        {
            tracing::warn!(%error, "an endpoint is changed, and this process will know as soon as it can read it");
        }
        gathered.settling.offered = gathered.batch.events_told().map(|event| (event.key.clone(), event.accepted_at)).collect();
        self.settlements.send(gathered.settling).await.is_ok()
    }

    /// `None` when it was given up.
    async fn write_until_it_works(&self, gathered: &mut Gathered, abort: &CancellationToken) -> Option<Vec<DeadLetter>> {
        let mut patience = Patience::new();
        loop {
            // Anew for each try: the records may be away for longer than a lease.
            gathered.stamp(clock::after(clock::now(), self.lease));
            match self.write(&gathered.batch).await {
                Ok(refused) => {
                    patience.reset();
                    return Some(refused);
                }
                Err(error) => {
                    if !patience.after(&error, "recording", &*self.observe, abort).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Commits a batch. One that is refused is written piece by piece, so that what is wrong with one event stays with that one;
    /// answers the pieces that cannot be written.
    async fn write(&self, batch: &Batch) -> Result<Vec<DeadLetter>, BackendError> {
        match self.records.record(batch).await {
            Ok(()) => return Ok(Vec::new()),
            Err(BackendError::Refused { backend, source }) => {
                tracing::error!(backend, error = %source, "a commit was refused: it is written piece by piece");
            }
            Err(error) => return Err(error),
        }
        let mut dead = Vec::new();
        // What a piece wrote already is passed over when it is written again.
        for routed in &batch.routed {
            let piece = Batch { routed: vec![routed.clone()], ..Batch::default() };
            match self.records.record(&piece).await {
                Err(BackendError::Refused { source, .. }) => dead.push(self.set_aside(routed, &*source).await?),
                other => other?,
            }
        }
        for step in &batch.steps {
            let piece = Batch { steps: vec![step.clone()], ..Batch::default() };
            match self.records.record(&piece).await {
                Err(BackendError::Refused { source, .. }) => self.stop(step, &*source).await?,
                other => other?,
            }
        }
        self.write_or_skip(Batch { set_aside: batch.set_aside.clone(), ..Batch::default() }).await?;
        self.write_or_skip(Batch { told: batch.told.clone(), ..Batch::default() }).await?;
        // What became of endpoints, in one piece: it is small.
        let (recovered, failing, disabled) = (batch.recovered.clone(), batch.failing.clone(), batch.disabled.clone());
        self.write_or_skip(Batch { recovered, failing, disabled, ..Batch::default() }).await?;
        Ok(dead)
    }

    /// An event that cannot be recorded: one that was accepted is marked, or the sweep would bring it back for ever.
    async fn set_aside(&self, routed: &Routed, source: &(dyn std::error::Error + Send + Sync)) -> Result<DeadLetter, BackendError> {
        let letter = DeadLetter::of_event(&routed.event, format!("cannot be recorded: {source}"), "refused");
        if routed.accepted {
            let set_aside = vec![(routed.event.key.clone(), letter.reason.clone())];
            self.write_or_skip(Batch { set_aside, ..Batch::default() }).await?;
        }
        Ok(letter)
    }

    /// A step that cannot be recorded: the delivery ends, for otherwise its attempt would be made again and again.
    async fn stop(&self, step: &Step, source: &(dyn std::error::Error + Send + Sync)) -> Result<(), BackendError> {
        tracing::error!(delivery_id = %step.state.id, error = %source, "a step of a delivery cannot be recorded: the delivery has failed");
        let reason = Some(format!("the outcome of an attempt cannot be recorded: {source}"));
        let state = DeliveryState { status: Status::Failed, last: None, reason, next_retry_at: None, ..step.state.clone() };
        let steps = vec![Step { after_attempts: step.after_attempts, state }];
        self.write_or_skip(Batch { steps, ..Batch::default() }).await
    }

    /// What is refused even so must not hold up everything else for ever.
    async fn write_or_skip(&self, batch: Batch) -> Result<(), BackendError> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.records.record(&batch).await {
            Err(error @ BackendError::Refused { .. }) => {
                tracing::error!(%error, "this cannot be recorded, and is left out");
                Ok(())
            }
            other => other,
        }
    }
}
