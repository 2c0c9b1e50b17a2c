//! Runs go on page by page, in whichever worker is free: each page is claimed, done, and given back. A worker that dies has one page of one
//! run at most, and another takes it over when its lease is over.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::patience::Patience;
use super::put_back;
use super::requeue::{AT_ONCE, Requeuing};
use super::worker::Parts;
use crate::faults;
use crate::model::clock;
use crate::model::delivery::DeliveryId;
use crate::model::endpoint::RateLimit;
use crate::model::run::{Run, RunKind, RunStatus};
use crate::ports::{Advance, BackendError, Catalog, Observe, Pace};

/// How often somebody looks for a page when there was none.
const LOOK: Duration = Duration::from_millis(250);
/// After a page, for those who wait for the same connections.
const REST: Duration = Duration::from_millis(50);
/// How soon a run looks again whether what it put back was taken.
const FULL: Duration = Duration::from_millis(200);
/// Deliveries that one page puts back.
const PAGE: usize = 1000;
/// Of the deliveries that a run put back, so many may be due and not attempted yet. What is put back goes no faster than the endpoint takes it,
/// and no million of them floods the schedule.
const AHEAD: usize = 2000;
/// Events that may wait for workers while dead letters are added to them.
const EVENTS_WAITING: u64 = 5000;

pub(super) struct Runner {
    requeue: Requeuing,
    catalog: Arc<dyn Catalog>,
    observe: Arc<dyn Observe>,
    lease: Duration,
    /// How long runs that ended are kept.
    keep: Duration,
    holder: Uuid,
}

/// Does pages until it is time to stop.
pub(super) async fn run(runner: Runner, stop: CancellationToken) {
    let mut patience = Patience::new();
    loop {
        let rest = match runner.step().await {
            Ok(worked) => {
                patience.reset();
                if worked { REST } else { LOOK }
            }
            Err(error) => {
                if !patience.after(&error, "going on with a run", &*runner.observe, &stop).await {
                    return;
                }
                Duration::ZERO
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Runner {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            requeue: parts.requeue.clone(),
            catalog: parts.catalog.clone(),
            observe: Arc::clone(&parts.observe),
            lease: parts.lease,
            keep: parts.retention.keep,
            holder: Uuid::now_v7(),
        }
    }

    /// Does one page. False when there was none.
    async fn step(&self) -> Result<bool, BackendError> {
        let Some(run) = self.requeue.records.claim_run(self.holder, self.lease).await? else { return Ok(false) };
        let done = match run.kind {
            RunKind::RetryFailed => self.retry_page(&run).await,
            RunKind::RequeueDeadLetters => self.requeue_page(&run).await,
        };
        match done {
            Ok(()) => Ok(true),
            // The lease goes on, so that other runs have their turn meanwhile.
            Err(error @ BackendError::Unavailable { .. }) => Err(error),
            Err(error @ BackendError::Refused { .. }) => {
                tracing::error!(%error, run = %run.id, "a run cannot go on");
                let why = "something went wrong, and was logged".to_owned();
                self.write(&run, ended(RunStatus::Failed, Some(why))).await.map(|()| true)
            }
        }
    }

    async fn write(&self, run: &Run, advance: Advance) -> Result<(), BackendError> {
        let over = advance.ended.clone();
        let written = self.requeue.records.advance_run(run.id, self.holder, &advance).await?;
        if let (true, Some((status, error))) = (written, over) {
            self.over(run, status, error.as_deref()).await?;
        }
        Ok(())
    }

    async fn over(&self, run: &Run, status: RunStatus, error: Option<&str>) -> Result<(), BackendError> {
        tracing::info!(run = %run.id, kind = run.kind.as_str(), status = status.as_str(), error, "a run ended");
        self.requeue.records.forget_runs(clock::now() - self.keep).await.map(drop)
    }

    async fn retry_page(&self, run: &Run) -> Result<(), BackendError> {
        let id = run.endpoint_id.unwrap_or_default();
        let endpoint = match self.catalog.get(id, None).await? {
            None => return self.write(run, ended(RunStatus::Failed, Some("the endpoint was removed".into()))).await,
            Some(endpoint) if !endpoint.spec.is_active => {
                let reason = endpoint.disabled_reason.as_deref().unwrap_or("by its owner");
                return self.write(run, ended(RunStatus::Failed, Some(format!("the endpoint is disabled: {reason}")))).await;
            }
            Some(endpoint) => endpoint,
        };
        let records = &self.requeue.records;
        if run.position.is_none()
            && run.total.is_none()
            && let Err(error) = records.measure_run(run, self.holder).await
        {
            tracing::warn!(%error, run = %run.id, "what a run has to do is not counted");
        }
        let due = clock::now();
        let (max, ahead, rest_after_each) = pace(endpoint.spec.rate_limit.as_ref());
        let (waiting, mark) = self.waiting(run, ahead).await?;
        let room = ahead.saturating_sub(waiting).min(max);
        if room == 0 {
            return self.write(run, Advance { mark, rest: FULL, ..Advance::default() }).await;
        }
        let pace = Pace { max: room, rest_after_each, due, mark };
        let Some(page) = records.retry_page(run, self.holder, pace).await? else { return Ok(()) };
        faults::crash_point("run_page");
        put_back::schedule(&*self.requeue.queue, page.back, due).await;
        if page.last { self.over(run, RunStatus::Done, None).await } else { Ok(()) }
    }

    /// How many of those that the run put back are due and not attempted yet, `ahead` at most; and the first of them, where the next
    /// look may start.
    async fn waiting(&self, run: &Run, ahead: usize) -> Result<(usize, Option<DeliveryId>), BackendError> {
        let position: Option<DeliveryId> = run.position.as_deref().and_then(|id| id.parse().ok()).map(DeliveryId);
        let (Some(position), Some(endpoint)) = (position, run.endpoint_id) else { return Ok((0, None)) };
        let range = (run.mark.unwrap_or(DeliveryId(Uuid::nil())), position);
        let waiting = self.requeue.records.still_due(endpoint, range, clock::now(), ahead).await?;
        Ok((waiting.len(), waiting.first().copied().or(Some(position))))
    }

    async fn requeue_page(&self, run: &Run) -> Result<(), BackendError> {
        if self.requeue.queue.depth().await?.events > EVENTS_WAITING {
            return self.write(run, Advance { rest: FULL, ..Advance::default() }).await;
        }
        let after = run.position.as_deref().and_then(|place| place.parse().ok());
        let page = self.requeue.page(None, after, AT_ONCE).await?;
        let advance = Advance {
            done: page.requeued.len() as u64,
            refused: page.refused.len() as u64,
            position: page.next.map(|place| place.to_string()),
            ended: page.next.is_none().then_some((RunStatus::Done, None)),
            ..Advance::default()
        };
        self.write(run, advance).await
    }
}

fn ended(status: RunStatus, error: Option<String>) -> Advance {
    Advance { ended: Some((status, error)), ..Advance::default() }
}

/// Deliveries of a page, how many may wait, and how long to rest after each: with a rate limit, pages of a second, and no faster than
/// that.
fn pace(limit: Option<&RateLimit>) -> (usize, usize, Duration) {
    let Some(limit) = limit else { return (PAGE, AHEAD, Duration::ZERO) };
    let each = Duration::try_from_secs_f64(limit.window / f64::from(limit.max_requests.max(1))).unwrap_or_default();
    let in_a_second = Duration::from_secs(1).as_nanos() / each.as_nanos().max(1);
    let page = usize::try_from(in_a_second).unwrap_or(PAGE).clamp(1, PAGE);
    (page, (page * 4).min(AHEAD), each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_the_rate_limit_allows_in_a_second() {
        for (max_requests, window, page, ahead, millis) in [
            (10, 1.0, 10, 40, 100),
            (100, 60.0, 1, 4, 600),
            (1, 3600.0, 1, 4, 3_600_000),
            (100_000, 1.0, 1000, 2000, 0),
            (600, 60.0, 10, 40, 100),
        ] {
            let limit = RateLimit { max_requests, window };
            let (found, waiting, each) = pace(Some(&limit));
            assert_eq!((found, waiting, each.as_millis()), (page, ahead, millis), "{limit:?}");
        }
        assert_eq!(pace(None), (PAGE, AHEAD, Duration::ZERO));
    }
}
