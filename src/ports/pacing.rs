//! What workers tell one another about endpoints that are to be left alone for a while, and the slots of rate limits.

use std::time::Duration;

use async_trait::async_trait;

use super::BackendError;

/// What a worker learned about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewPause {
    /// It fails, whatever is sent to it. One that was well is paused for `first`, and each time that it is found broken again for twice
    /// as long, at most `max`.
    Broken { endpoint_id: i64, first: Duration, max: Duration },
    /// It asked for less, or was too busy.
    Slowed { endpoint_id: i64, lasts: Duration },
}

/// Why an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    Broken,
    Slowed,
}

/// One endpoint that is broken or slowed. One that is both has two of these, and is paused as long as either lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub endpoint_id: i64,
    pub why: Why,
    /// From now on. Zero when it is over: what is broken then waits to be probed.
    pub lasts: Duration,
    /// Somebody makes the one attempt that shows whether it is still broken.
    pub probing: bool,
    /// How often it was found broken since it was well. Zero of what is only slowed.
    pub times: u32,
}

/// All that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pauses {
    /// Another one after every change, and never 0.
    pub revision: u64,
    /// By endpoint; of one that is both, broken comes first.
    pub paused: Vec<Pause>,
}

impl Pauses {
    /// The revision at which nothing is broken or slowed, however that came about.
    pub const NOTHING: u64 = 1;
}

/// What a worker wants to send to an endpoint that has a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub endpoint_id: i64,
    /// The time from one slot to the next. It is counted in whole microseconds, rounded up, and at least one.
    pub every: Duration,
    /// How many deliveries there are.
    pub count: u32,
    /// How far off a slot may be.
    pub ahead: Duration,
    /// How far off a place may be.
    pub line: Duration,
    /// Whether they come for the first time, and not back from the line or for another attempt.
    pub newcomers: bool,
}

/// What an [`Ask`] gets: together at most as many as it has deliveries. All from now on, nearest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// When requests may be made.
    pub slots: Vec<Duration>,
    /// When to expect a slot.
    pub places: Vec<Duration>,
}

/// A part of the [`Queue`](super::Queue): what workers tell one another about endpoints that are to be left alone for a while, and the
/// slots of rate limits. Nothing that must last: when it is lost, endpoints are asked a few times more than needed.
///
/// All times are durations from now, reckoned by the queue's own clock, so that those of workers do not matter. They are counted in
/// microseconds, and end after some thirty years.
#[async_trait]
pub trait Pacing: Send + Sync {
    /// Pauses endpoints.
    ///
    /// `Broken`: one that is not broken is paused for `first`. One that is broken and whose pause is over, or that is being probed, is paused
    /// anew, for `first` × 2^`times`. Neither is ever longer than `max`, and `times` grows by one with each. One whose pause
    /// still lasts is left as it is: another worker said the same.
    ///
    /// `Slowed`: it is paused until then, unless it is slowed for longer already. It makes nothing broken, and mends nothing.
    async fn pause(&self, pauses: &[NewPause]) -> Result<(), BackendError>;

    /// Asks for the one attempt that shows whether a broken endpoint is well again. True for one caller when its pause is over, which then starts
    /// anew for `lasts`, as being probed; false for all others until that is over too, so that a prober that died holds nothing. `times` stays
    /// what it is. False for an endpoint that is not broken.
    async fn probe(&self, endpoint_id: i64, lasts: Duration) -> Result<bool, BackendError>;

    /// These are no longer broken: the next time, `times` starts from 0. One that is slowed stays so. Nothing else ends being broken, so this is
    /// also for endpoints that are gone.
    async fn recovered(&self, endpoints: &[i64]) -> Result<(), BackendError>;

    /// All that is broken, and all whose slowing lasts, when anything changed since the revision `known`; `None`, for the price of one small
    /// read, when nothing did. Nobody knows revision 0, so it gets all. A queue that lost its memory has changed, unless nothing was paused.
    ///
    /// That time passes is no change, though the end of the last pause may count as one. A change made while this
    /// reads shows now or the next time.
    async fn pauses(&self, known: u64) -> Result<Option<Pauses>, BackendError>;

    /// Reserves slots, and for what gets none places in the endpoint's line; answers for each ask, in order, what it gets.
    ///
    /// Slots: up to `count`, none more than `ahead` from now, and possibly none. A slot is now, or `every` after the endpoint's last
    /// one, whichever is later; across all callers no two are nearer. Newcomers get none while the last place in the line is more than `ahead`
    /// from now, so that they do not overtake those who wait.
    ///
    /// Places: for all that got no slot, but none more than `line` from now; what is left gets neither. A place is `every` after the last slot or
    /// after the last place, whichever is later. It reserves nothing: who comes back when it is near finds a slot, since newcomers do not take it.
    ///
    /// A slot or a place that is not used is lost. What `every` was before does not matter, but a last slot or place is
    /// forgotten when the `every` it was given with has passed.
    async fn slots(&self, asks: &[Ask]) -> Result<Vec<Given>, BackendError>;
}
