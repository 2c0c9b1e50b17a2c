//! When a failed attempt is followed by another one.

mod count;
mod retry_after;
mod schedule;
mod waits;
