//! Puts back what a crash or a lost Redis left behind. Safe on every replica at once: each step passes over what is there.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::patience::{self, Patience};
use crate::model::clock::{self, Timestamp};
use crate::ports::BackendError;

/// Rows that one page of the sweep takes.
const PAGE: usize = 1000;
/// Claims that are taken over at once.
const TAKE_OVER: usize = 16;
/// What is younger than this is on its way in the ordinary manner.
const AGE: Duration = Duration::from_secs(5);

/// Sweeps every `interval`, until `stop`.
pub(super) async fn run(intake: Arc<Intake>, interval: Duration, stop: CancellationToken) {
    let mut patience = Patience::new();
    loop {
        match sweep(&intake).await {
            Ok(()) => {
                patience.reset();
                tokio::select! {
                    // Replicas that started together do not sweep together.
                    () = tokio::time::sleep(patience::jittered(interval, 0.3)) => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => {
                if !patience.after(&error, "sweeping", &*intake.observe, &stop).await {
                    return;
                }
            }
        }
    }
}

async fn sweep(intake: &Intake) -> Result<(), BackendError> {
    take_over(intake).await?;
    let before = clock::now() - AGE;
    let events = offer_unrouted(intake, before).await?;
    let deliveries = schedule_overdue(intake, before).await?;
    intake.observe.swept(events, deliveries);
    Ok(())
}

async fn take_over(intake: &Intake) -> Result<(), BackendError> {
    loop {
        let taken = intake.queue.take_over(TAKE_OVER).await?;
        if taken.is_empty() {
            return Ok(());
        }
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

/// Page by page, oldest first, up to the first page of which all is on offer: what comes after it was offered later.
async fn offer_unrouted(intake: &Intake, before: Timestamp) -> Result<u64, BackendError> {
    let (mut offered, mut from) = (0, None);
    loop {
        let page = intake.records.unrouted(before, from.as_ref(), PAGE).await?;
        let new = if page.is_empty() { 0 } else { intake.queue.offer(&page).await? };
        offered += new;
        if new == 0 || page.len() < PAGE {
            return Ok(offered);
        }
        from = page.into_iter().next_back().map(|(key, at)| (at, key));
    }
}

async fn schedule_overdue(intake: &Intake, before: Timestamp) -> Result<u64, BackendError> {
    let (mut scheduled, mut from) = (0, None);
    loop {
        let page = intake.records.overdue(before, from, PAGE).await?;
        let new = if page.is_empty() { 0 } else { intake.queue.schedule_missing(&page).await? };
        scheduled += new;
        if new == 0 || page.len() < PAGE {
            return Ok(scheduled);
        }
        from = page.last().map(|(id, at)| (*at, *id));
    }
}
