//! Bulk work that goes on in the background, in whichever worker is free.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::BackendError;
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::page::Page;
use crate::model::run::{Run, RunId, RunStatus};

/// What [`Runs::start_run`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    New,
    /// One of the same kind for the same endpoint is running.
    Already(RunId),
}

/// What one page of a run that puts back deliveries came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetriedPage {
    /// Those that wait again.
    pub back: Vec<DeliveryId>,
    /// There was nothing after it: the run is done.
    pub last: bool,
}

/// How a run puts back its next page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Deliveries of the page at most; more than none.
    pub max: usize,
    /// For so long as this, times what the page put back, nobody gets the run's next page.
    pub rest_after_each: Duration,
    /// When they are due.
    pub due: Timestamp,
    /// The run's new mark; `None` leaves it.
    pub mark: Option<DeliveryId>,
}

/// What a page of a run did, where it did not write that down itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advance {
    /// Added to what is done, and to what is refused.
    pub done: u64,
    pub refused: u64,
    /// `None` leaves them.
    pub position: Option<String>,
    pub mark: Option<DeliveryId>,
    /// For so long nobody gets the run's next page.
    pub rest: Duration,
    /// How it ended, with its error; `None` while it goes on.
    pub ended: Option<(RunStatus, Option<String>)>,
}

/// A part of the [`Records`](super::Records): runs. Leases and rests go by the records' own clock.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Records a run that begins, unless one of the same kind for the same endpoint is running.
    async fn start_run(&self, run: &Run) -> Result<Started, BackendError>;

    /// One run; `None` too when it is of another tenant.
    async fn find_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError>;

    /// Runs newest first, starting after `after`. A tenant sees its own alone.
    async fn list_runs(&self, tenant: Option<&str>, after: Option<RunId>, limit: u32) -> Result<Page<Run, RunId>, BackendError>;

    /// Ends a running run, and answers it; `None` when it is not running, or of another tenant. Its next page will not be.
    async fn cancel_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError>;

    /// Gives `holder` the next page of the running run that is due for longest, for `lease`. A run whose page somebody else has is not due
    /// until that lease is over.
    async fn claim_run(&self, holder: Uuid, lease: Duration) -> Result<Option<Run>, BackendError>;

    /// Counts what a run that puts back deliveries has to do, and makes that its total. It stays `None` where it is more than two million.
    async fn measure_run(&self, run: &Run, holder: Uuid) -> Result<(), BackendError>;

    /// Up to `max` deliveries of the endpoint, oldest first, from the one to the other, that wait and were due at `due` or before.
    async fn still_due(
        &self,
        endpoint: i64,
        range: (DeliveryId, DeliveryId),
        due: Timestamp,
        max: usize,
    ) -> Result<Vec<DeliveryId>, BackendError>;

    /// Puts back the failed deliveries that come next, oldest first, as [`Stopping::put_back`](super::Stopping::put_back) does, moves the run's
    /// position behind them, and gives the run's page back: all in one commit. So each one is put back once, however often a page is begun.
    /// `None`, and nothing is done, when the page is not `holder`'s any more, or the run is not running.
    async fn retry_page(&self, run: &Run, holder: Uuid, pace: Pace) -> Result<Option<RetriedPage>, BackendError>;

    /// Writes down what a page did, and gives the page back. False, and nothing is written, when the page is not `holder`'s any more, or the run
    /// is not running.
    async fn advance_run(&self, id: RunId, holder: Uuid, advance: &Advance) -> Result<bool, BackendError>;

    /// Removes runs that ended before `before`.
    async fn forget_runs(&self, before: Timestamp) -> Result<u64, BackendError>;
}

/// What came of bulk work that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Bulk<T> {
    /// It was little, and is done.
    Done(T),
    /// It goes on in the background.
    Started(Box<Run>),
}
