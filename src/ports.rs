//! What the pipeline and the API need from the outside, as traits, with their errors.
//!
//! Two backends stand behind them: Redis and Postgres, or one SQLite file. Every sentence here is a
//! test in `tests/conformance/`, run against both. Every method takes or gives a batch, may be called
//! from many tasks and processes at once, and either does all of what it says or nothing of it.

mod catalog;
mod checks;
mod dead_letters;
mod doors;
mod owners;
mod pacing;
mod queue;
mod readiness;
mod records;
mod runs;
mod stopping;

use std::time::Duration;

use crate::model::endpoint::Endpoint;
use crate::model::outcome::Attempt;

pub use catalog::{Catalog, CatalogError, Changes, Encrypted};
pub use checks::Checks;
pub use dead_letters::{DeadLetters, Letters, LettersAsked, Requeue, Requeued};
pub use doors::{Door, Heard, Outbox};
pub use owners::{Disabling, Recovery};
pub use pacing::{Ask, Given, NewPause, Pacing, Pause, Pauses, Why};
pub use queue::{Claim, ClaimId, Depth, Due, Memory, Queue, Reserved, Settlement, TakenOver};
pub use readiness::{PartHealth, Readiness};
pub use records::{Accepted, Batch, Forgotten, Known, Records, Routed, Step};
pub use runs::{Advance, Bulk, Pace, RetriedPage, Runs, Started};
pub use stopping::{Retries, RetryError, StoppedDelivery, Stopping, Window};

/// Our own trouble with a backend: it uses up no attempt, and the work goes on when it is over.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Cannot be reached, or broke off in the middle: try again later. Whether the call took effect is unknown.
    #[error("{backend} at {address} is unavailable: {source}")]
    Unavailable {
        backend: &'static str,
        /// Without credentials.
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answered, and refused or gave something that we do not understand: trying the same again will not help.
    #[error("{backend} refused: {source}")]
    Refused {
        backend: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What happened, for those who watch. Never blocks, never fails.
pub trait Observe: Send + Sync {
    /// Events were matched, all of the same type.
    fn triggered(&self, event_type: &str, count: u64);
    /// An attempt ended.
    fn attempted(&self, endpoint: &Endpoint, event_type: &str, number: u32, attempt: &Attempt);
    /// A delivery ended, one way or the other, and is recorded.
    fn settled(&self, event_type: &str, delivered: bool);
    fn dead_letter(&self, class: &'static str);
    fn depth(&self, depth: Depth);
    fn endpoints_active(&self, count: u64);
    /// So many endpoints are left alone because they are broken.
    fn endpoints_broken(&self, count: u64);
    fn in_flight(&self, count: u64);
    /// So many deliveries went back onto the schedule, to wait for their endpoint's rate limit.
    fn rate_limited(&self, deliveries: u64);
    /// A commit of so many rows was made.
    fn committed(&self, rows: u64, took: Duration);
    /// A worker that is gone left this many claims, and they were taken over.
    fn taken_over(&self, claims: u64);
    /// The sweep put this many events and deliveries back.
    fn swept(&self, events: u64, deliveries: u64);
    /// So many events and deliveries were removed, since they are over and old.
    fn forgot(&self, events: u64, deliveries: u64);
    /// A backend was away.
    fn trouble(&self, backend: &'static str);
    /// Everything, in Prometheus' text format.
    fn render(&self) -> String;
}
