//! What the pipeline and the API need from the outside, as traits, with their errors.
//!
//! Two backends stand behind them: Redis and Postgres, or one SQLite file. Every sentence here is a
//! test in `tests/conformance/`, run against both. Every method takes or gives a batch, may be called
//! from many tasks and processes at once, and either does all of what it says or nothing of it.

mod catalog;
mod checks;
mod dead_letters;
mod doors;
mod observe;
mod owners;
mod pacing;
mod queue;
mod readiness;
mod records;
mod runs;
mod stopping;
mod traces;

pub use catalog::{Catalog, CatalogError, Changes, Encrypted};
pub use checks::Checks;
pub use dead_letters::{DeadLetters, Letters, LettersAsked, Requeue, Requeued};
pub use doors::{Door, Heard, Outbox};
pub use observe::{Breakers, Load, Observe, Phase, Pool, Wait};
pub use owners::{Disabling, Recovery};
pub use pacing::{Ask, Given, NewPause, Pacing, Pause, Pauses, Why};
pub use queue::{Claim, ClaimId, Depth, Due, Memory, Oldest, Queue, Reserved, Settlement, TakenOver};
pub use readiness::{PartHealth, Readiness};
pub use records::{Accepted, Batch, Forgotten, Known, Records, Routed, Step};
pub use runs::{Advance, Bulk, Pace, RetriedPage, Runs, Started};
pub use stopping::{Retries, RetryError, StoppedDelivery, Stopping, Window};
pub use traces::{Attempted, Matched, Traces};

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
