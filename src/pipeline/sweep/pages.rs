//! Goes through all that waits in the records, page by page.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::rest;
use crate::faults;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::pipeline::intake::Intake;
use crate::ports::BackendError;

/// Rows that one page takes.
const PAGE: usize = 1000;
/// How many times as long as a page took it rests, where that page found nothing missing: a backlog of millions, all of it on the
/// schedule, may take minutes to look through, and must not cost more than a tenth of one connection.
const REST: u32 = 9;

#[derive(Clone, Copy)]
pub(in crate::pipeline) enum Pace {
    /// Hurries only while something is missing.
    Gentle,
    /// For when much is missing.
    Full,
    /// For when the queue lost its memory, and this process is the one to restore it.
    Restoring,
}

/// What was put back.
#[derive(Default)]
pub(in crate::pipeline) struct Found {
    pub(in crate::pipeline) events: u64,
    pub(in crate::pipeline) deliveries: u64,
}

/// Where the last look ended, if trouble ended it.
#[derive(Default)]
pub(in crate::pipeline) struct Pages {
    event: Option<(Timestamp, EventKey)>,
    delivery: Option<(Timestamp, DeliveryId)>,
}

impl Pages {
    /// Looks at every accepted event and waiting delivery from before `before`, and puts back those that the queue does not have.
    pub(in crate::pipeline) async fn look_through(
        &mut self,
        intake: &Intake,
        before: Timestamp,
        pace: Pace,
        stop: &CancellationToken,
    ) -> Result<Found, BackendError> {
        let events = self.look_through_events(intake, before, pace, stop).await?;
        let deliveries = self.look_through_deliveries(intake, before, pace, stop).await?;
        Ok(Found { events, deliveries })
    }

    /// How many events were put back.
    pub(in crate::pipeline) async fn look_through_events(
        &mut self,
        intake: &Intake,
        before: Timestamp,
        pace: Pace,
        stop: &CancellationToken,
    ) -> Result<u64, BackendError> {
        let mut found = 0;
        loop {
            let started = Instant::now();
            let page = intake.records.unrouted(before, self.event.as_ref(), PAGE).await?;
            let new = if page.is_empty() { 0 } else { offer(intake, &page).await? };
            found += new;
            self.event = if page.len() < PAGE { None } else { page.into_iter().next_back().map(|(key, at)| (at, key)) };
            if self.event.is_none() || !breathe(intake, pace, new, started.elapsed(), stop).await? {
                return Ok(found);
            }
        }
    }

    async fn look_through_deliveries(
        &mut self,
        intake: &Intake,
        before: Timestamp,
        pace: Pace,
        stop: &CancellationToken,
    ) -> Result<u64, BackendError> {
        let mut found = 0;
        loop {
            let started = Instant::now();
            let page = intake.records.overdue(before, self.delivery, PAGE).await?;
            let new = if page.is_empty() { 0 } else { schedule(intake, &page).await? };
            found += new;
            self.delivery = if page.len() < PAGE { None } else { page.last().map(|(id, at)| (*at, *id)) };
            if self.delivery.is_none() || !breathe(intake, pace, new, started.elapsed(), stop).await? {
                return Ok(found);
            }
        }
    }
}

async fn offer(intake: &Intake, page: &[(EventKey, Timestamp)]) -> Result<u64, BackendError> {
    faults::crash_point("found_unrouted");
    intake.queue.offer(page).await
}

async fn schedule(intake: &Intake, page: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError> {
    faults::crash_point("found_overdue");
    intake.queue.schedule_missing(page).await
}

/// Between two pages. False when it is time to stop, or when the queue was emptied once more and all has to begin anew.
async fn breathe(intake: &Intake, pace: Pace, new: u64, took: Duration, stop: &CancellationToken) -> Result<bool, BackendError> {
    match pace {
        Pace::Restoring if !intake.queue.restoring().await? => Ok(false),
        Pace::Gentle if new == 0 => Ok(rest(took * REST, stop).await),
        _ => Ok(!stop.is_cancelled()),
    }
}
