//! The way of events as spans of their traces, for those who watch.

use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::endpoint::Endpoint;
use crate::model::event::Event;
use crate::model::outcome::Attempt;
use crate::model::trace::TraceContext;

/// An event that was matched.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'a> {
    pub event: &'a Event,
    /// Whether it was found in the records, and not in the list of door 1.
    pub accepted: bool,
    /// When routing it began.
    pub since: Timestamp,
    /// How many endpoints get it.
    pub endpoints: usize,
}

/// An attempt that ended.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    pub event: &'a Event,
    pub endpoint: &'a Endpoint,
    pub delivery: DeliveryId,
    /// From 1.
    pub number: u32,
    pub attempt: &'a Attempt,
}

/// Where spans go. Never blocks, never fails: what cannot be taken is left out.
///
/// An event's acceptance is a span, below it is its routing, and below that are its attempts, whichever processes they happen in. An event
/// that brings a trace goes on with it, and is sampled if that is; whether others are follows from their trace's id.
pub trait Traces: Send + Sync {
    /// An event was matched. Where nobody told of its acceptance, this does.
    fn matched(&self, matched: Matched<'_>);
    /// What the request of that attempt carries as `traceparent`: the span that [`Traces::attempted`] tells of. Of an event whose own trace
    /// is not sampled, that as it came.
    fn of_attempt(&self, event: &Event, delivery: DeliveryId, number: u32) -> TraceContext;
    /// An attempt ended.
    fn attempted(&self, attempted: Attempted<'_>);
}
