//! What happened, for those who watch.

use std::sync::Arc;
use std::time::Duration;

use super::Depth;
use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::Attempt;

/// Why a delivery was put onto the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its attempt failed, and it has more.
    Retry,
    /// Its endpoint's rate limit has no slot soon.
    RateLimit,
    /// Its endpoint is broken.
    Broken,
    /// Its endpoint asked to be left alone for a while.
    Slowed,
    /// Its endpoint takes less than there is for it.
    Busy,
    /// Its endpoint does not answer.
    Stuck,
    /// Its endpoint's secret cannot be read.
    Locked,
    /// Its endpoint is inactive: it ends when it comes due.
    Inactive,
    /// This process stops.
    Stopping,
}

impl Wait {
    pub const ALL: [Self; 9] =
        [Self::Retry, Self::RateLimit, Self::Broken, Self::Slowed, Self::Busy, Self::Stuck, Self::Locked, Self::Inactive, Self::Stopping];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RateLimit => "rate_limit",
            Self::Broken => "broken",
            Self::Slowed => "slowed",
            Self::Busy => "busy",
            Self::Stuck => "stuck",
            Self::Locked => "locked",
            Self::Inactive => "inactive",
            Self::Stopping => "stopping",
        }
    }
}

/// What a process is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Running,
    Stopping,
}

/// Deliveries that a worker has in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// All of them: what is in none of the others is being recorded.
    pub held: u64,
    /// Their request runs.
    pub in_flight: u64,
    /// They wait for their turn.
    pub turn: u64,
    /// They wait for a slot of their endpoint's rate limit.
    pub slot: u64,
    /// Connections to receivers that are open, in use or kept.
    pub connections: u64,
}

/// How many endpoints are left alone, and why. One can be both broken and slowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breakers {
    /// Broken, and nothing is sent.
    pub open: u64,
    /// Broken, and one request decides.
    pub half_open: u64,
    pub slowed: u64,
}

/// A pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    pub limit: u64,
    pub idle: u64,
    pub in_use: u64,
    /// Calls that wait for one.
    pub waiting: u64,
}

/// What happened, for those who watch. Never blocks, never fails.
pub trait Observe: Send + Sync {
    /// What this process is about, and whether it claims and sends now.
    fn phase(&self, phase: Phase, works: bool);
    /// How many requests, and deliveries in memory, a worker may have.
    fn capacity(&self, in_flight: u64, held: u64);
    /// Events were matched, all of the same type.
    fn triggered(&self, event_type: &str, count: u64);
    /// An attempt ended.
    fn attempted(&self, endpoint: &Endpoint, event: &Event, number: u32, attempt: &Attempt);
    /// A delivery ended, one way or the other, and is recorded.
    fn settled(&self, event_type: &str, delivered: bool);
    /// So many deliveries went onto the schedule.
    fn waits(&self, why: Wait, deliveries: u64);
    fn dead_letter(&self, class: &'static str);
    fn depth(&self, depth: Depth);
    /// How long the oldest event waits in the queue, and how late the earliest due delivery is.
    fn oldest(&self, event: Duration, lateness: Duration);
    /// How long ago the oldest event was accepted that is not routed.
    fn oldest_unrouted(&self, age: Duration);
    fn endpoints_active(&self, count: u64);
    /// Which endpoints are left alone, as far as this process knows.
    fn breakers(&self, states: Breakers, broken: &[Arc<Endpoint>]);
    fn load(&self, load: Load);
    /// A commit of so many rows was made.
    fn committed(&self, rows: u64, took: Duration);
    /// A worker that is gone left this many claims, and they were taken over.
    fn taken_over(&self, claims: u64);
    /// The sweep put this many events and deliveries back.
    fn swept(&self, events: u64, deliveries: u64);
    /// So many events and deliveries were removed, since they are over and old.
    fn forgot(&self, events: u64, deliveries: u64);
    /// A call to a backend ended. `call` is one of a few names; calls that wait for something to come are not told.
    fn called(&self, backend: &'static str, call: &'static str, took: Duration, succeeded: bool);
    /// How many parts of the queue are away.
    fn parts_away(&self, parts: u64);
    /// The connections to the records.
    fn pool(&self, pool: Pool);
    /// So many spans will reach no collector.
    fn spans_lost(&self, spans: u64);
    /// A backend was away.
    fn trouble(&self, backend: &'static str);
    /// Everything, in Prometheus' text format.
    fn render(&self) -> String;
}
