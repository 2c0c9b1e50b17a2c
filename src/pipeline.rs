//! The road: intake, matching, lanes, sending, record, settle; and the sweep that puts back what a crash left behind.

mod accept;
mod budget;
mod catalog;
mod checks;
mod flight;
mod gauges;
mod intake;
mod lanes;
mod leases;
mod limits;
mod matching;
mod outbox;
mod pacing;
mod panics;
mod patience;
mod put_back;
mod record;
mod requeue;
mod retention;
mod retry;
mod returns;
mod runs;
mod sending;
mod settle;
mod stopping;
mod sweep;
mod worker;

pub use accept::GroupedDoor;
pub use catalog::LiveCatalog;
pub use checks::Checker;
pub use gauges::{watch_parts, watch_pool, watch_queue, watch_records};
pub use matching::Index;
pub use patience::persist;
pub use put_back::PutBack;
pub use requeue::Requeuing;
pub use worker::{Parts, Worker};
