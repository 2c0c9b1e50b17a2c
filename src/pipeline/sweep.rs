//! Puts back what a crash or a lost Redis left behind. Safe on every replica at once: each step passes over what is there.

pub(super) mod pages;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::pages::{Pace, Pages};
use super::intake::{CALM, Intake};
use super::patience::{self, Patience};
use crate::faults;
use crate::model::clock::{self, Timestamp};
use crate::ports::{BackendError, Memory};

/// Claims that are taken over at once.
const TAKE_OVER: usize = 2;
/// What is younger than this is on its way in the ordinary manner.
const AGE: Duration = Duration::from_secs(5);
/// How often it is asked whether the queue lost its memory.
const ASK: Duration = Duration::from_secs(1);
/// How long the others have for leasing anew what they hold, before everything else is put back.
const OTHERS: Duration = Duration::from_millis(2500);

/// Takes over claims of workers that are gone, every `interval`, until `stop`.
pub(super) async fn take_over(intake: Arc<Intake>, interval: Duration, stop: CancellationToken) {
    let (mut patience, mut calm_at) = (Patience::new(), Instant::now());
    loop {
        let wait = match take_over_expired(&intake, calm_at).await {
            // Replicas that started together do not look together.
            Ok(()) => Ok(patience::jittered(interval, 0.3)),
            Err(error) => {
                calm_at = Instant::now() + CALM;
                Err(error)
            }
        };
        if !go_on(&mut patience, wait, "taking over claims", &intake, &stop).await {
            return;
        }
    }
}

/// Looks for what is missing in the queue, every `interval`, until `stop`.
pub(super) async fn look(intake: Arc<Intake>, interval: Duration, stop: CancellationToken) {
    let (mut patience, mut pages) = (Patience::new(), Pages::default());
    loop {
        // What is missing in a queue that lost its memory is put back by `restore`, after those who hold something said so.
        let wait = match intake.queue.memory_is_whole().await {
            Ok(true) => look_through(&intake, &mut pages, &stop).await.map(|()| patience::jittered(interval, 0.3)),
            Ok(false) => Ok(ASK),
            Err(error) => Err(error),
        };
        if !go_on(&mut patience, wait, "sweeping", &intake, &stop).await {
            return;
        }
    }
}

async fn look_through(intake: &Intake, pages: &mut Pages, stop: &CancellationToken) -> Result<(), BackendError> {
    let found = pages.look_through(intake, clock::now() - AGE, Pace::Gentle, stop).await?;
    intake.observe.swept(found.events, found.deliveries);
    Ok(())
}

/// Puts everything back when the queue lost its memory, until `stop`.
pub(super) async fn restore(intake: Arc<Intake>, stop: CancellationToken) {
    let (mut patience, mut calm_at) = (Patience::new(), Instant::now());
    loop {
        let wait = restore_lost(&intake, calm_at, &stop).await.map(|()| ASK);
        if wait.is_err() {
            calm_at = Instant::now() + CALM;
        }
        if !go_on(&mut patience, wait, "asking whether the queue lost its memory", &intake, &stop).await {
            return;
        }
    }
}

/// Waits until the next round. Answers whether there is one.
async fn go_on(
    patience: &mut Patience,
    wait: Result<Duration, BackendError>,
    what: &str,
    intake: &Intake,
    stop: &CancellationToken,
) -> bool {
    match wait {
        Ok(wait) => {
            patience.reset();
            rest(wait, stop).await
        }
        Err(error) => patience.after(&error, what, &*intake.observe, stop).await,
    }
}

/// False when it is time to stop.
async fn rest(wait: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        () = stop.cancelled() => false,
    }
}

async fn take_over_expired(intake: &Intake, calm_at: Instant) -> Result<(), BackendError> {
    // Our own come first: those that could not be renewed for too long are still ours.
    intake.queue.renew(&intake.leases.claims(), &[]).await?;
    if Instant::now() < calm_at {
        return Ok(());
    }
    loop {
        if intake.room().await.is_none() {
            return Ok(());
        }
        let taken = intake.queue.take_over(TAKE_OVER).await?;
        if taken.is_empty() {
            return Ok(());
        }
        // All of them before the first is resumed: that may take long, and the others' leases must not run out meanwhile.
        for claim in &taken {
            intake.leases.hold_claim(claim.id());
        }
        faults::crash_point("taken_over");
        intake.observe.taken_over(taken.len() as u64);
        tracing::info!(claims = taken.len(), "claims of a worker that is gone were taken over");
        for claim in taken {
            // What is not resumed because it is time to stop expires once more.
            if intake.resume(claim).await.is_none() {
                return Ok(());
            }
        }
    }
}

async fn restore_lost(intake: &Intake, calm_at: Instant, stop: &CancellationToken) -> Result<(), BackendError> {
    let memory = intake.queue.memory().await?;
    if memory == Memory::Whole {
        return Ok(());
    }
    // What this process makes an attempt for must not look as if it waited.
    intake.leases.renew_now();
    let others = OTHERS.max(calm_at.saturating_duration_since(Instant::now()));
    if memory == Memory::Restoring || !rest(others, stop).await {
        return Ok(());
    }
    intake.queue.restoring().await?;
    let found = Pages::default().look_through(intake, Timestamp::MAX_UTC, Pace::Restoring, stop).await?;
    if stop.is_cancelled() {
        return Ok(());
    }
    intake.queue.restored().await?;
    intake.observe.swept(found.events, found.deliveries);
    tracing::info!(events = found.events, deliveries = found.deliveries, "the queue was empty: what the records hold was put back");
    Ok(())
}
