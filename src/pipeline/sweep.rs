//! Puts back what a crash or a lost Redis left behind. Safe on every replica at once: each step passes over what is there.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::patience::{self, Patience};
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::ports::BackendError;

/// Rows that one page of the sweep takes.
const PAGE: usize = 1000;
/// Claims that are taken over at once.
const TAKE_OVER: usize = 2;
/// Pages of overdue deliveries that one sweep looks at where nothing is missing.
const PAGES: usize = 10;
/// What is younger than this is on its way in the ordinary manner.
const AGE: Duration = Duration::from_secs(5);

/// Sweeps every `interval`, until `stop`.
pub(super) async fn run(intake: Arc<Intake>, interval: Duration, stop: CancellationToken) {
    let mut patience = Patience::new();
    let mut from = None;
    loop {
        match sweep(&intake, &mut from).await {
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

/// `from` is where the last sweep of overdue deliveries ended.
async fn sweep(intake: &Intake, from: &mut Option<(Timestamp, DeliveryId)>) -> Result<(), BackendError> {
    take_over(intake).await?;
    let before = clock::now() - AGE;
    let events = offer_unrouted(intake, before).await?;
    let deliveries = schedule_overdue(intake, before, from).await?;
    intake.observe.swept(events, deliveries);
    Ok(())
}

async fn take_over(intake: &Intake) -> Result<(), BackendError> {
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

/// Goes through all of them in the course of several sweeps. What waits for a slow endpoint's turn is overdue and on the schedule, and
/// may be more than one sweep can look at.
async fn schedule_overdue(intake: &Intake, before: Timestamp, from: &mut Option<(Timestamp, DeliveryId)>) -> Result<u64, BackendError> {
    let (mut scheduled, mut complete) = (0, 0);
    while complete < PAGES {
        let page = intake.records.overdue(before, *from, PAGE).await?;
        let new = if page.is_empty() { 0 } else { intake.queue.schedule_missing(&page).await? };
        scheduled += new;
        complete += usize::from(new == 0);
        *from = if page.len() < PAGE { None } else { page.last().map(|(id, at)| (*at, *id)) };
        if from.is_none() {
            break;
        }
    }
    Ok(scheduled)
}
