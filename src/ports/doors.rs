//! The doors whose other side is in this process: HTTP and SQL.

use async_trait::async_trait;

use super::BackendError;
use crate::model::event::{Event, EventKey};
use crate::model::keyed::{KeyedRequest, Taken};

/// Door 2.
#[async_trait]
pub trait Door: Send + Sync {
    /// Returns once the events are durable. Whether they were new, in order. The same event twice is one.
    async fn accept(&self, events: Vec<Event>) -> Result<Vec<bool>, BackendError>;

    /// The same for a request with a key, which is taken in once: see [`Records::accept_keyed`](super::Records::accept_keyed).
    async fn accept_keyed(&self, request: KeyedRequest, events: Vec<Event>) -> Result<Taken, BackendError>;
}

/// What [`Outbox::next`] heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// These were committed, in the order of their commits.
    Events(Vec<EventKey>),
    /// Others than those heard of may have been committed: [`Records::unrouted`](super::Records::unrouted) knows them.
    SomeMissed,
}

/// Door 3: events that applications commit by SQL, with no word to us.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Waits until others commit accepted events, and tells which; what came in through door 2 is not among them. Of several
    /// processes one hears, and the others wait until it is gone. `SomeMissed` comes first, and whenever more came than could be
    /// remembered. After an error it listens anew. What is committed while nobody listens is told by nobody: the sweep finds it.
    async fn next(&self) -> Result<Heard, BackendError>;
}
