//! The hand-off and the schedule in Redis.
//!
//! | key | type | what |
//! |---|---|---|
//! | `webhook_events` | list | entries of door 1 |
//! | `webhook_accepted` | sorted set | `tenant/id` of accepted events that wait for a worker; the score is when they were accepted |
//! | `webhook_retries` | sorted set | ids of waiting deliveries; the score is the due time |
//! | `webhook_leased` | sorted set | ids of deliveries that a worker is making an attempt for; the score is the end of the lease |
//! | `webhook_claims` | sorted set | claim ids; the score is the end of the lease |
//! | `webhook_claim:<id>` | list | the items of one claim, dropped whole |
//! | `webhook_routing` | hash | `tenant/id` of events that are being routed, with the claim that does it |
//! | `webhook_dead_letters` | list | what could not be processed |
//! | `webhook_pauses` | string | the revision of all pauses; gone when nothing is paused |
//! | `webhook_broken` | hash | endpoints that are broken, each with the end of its pause, how often, and whether it is being probed |
//! | `webhook_slowed` | sorted set | endpoints that are slowed; the score is when that ends, in microseconds |
//! | `webhook_slot:<endpoint>` | string | the last slot of its rate limit; expires when that no longer matters |
//! | `webhook_line:<endpoint>` | string | the last place given to what waits for a slot; expires likewise |
//! | `webhook_memory` | string | `whole` while this Redis holds all that it was given; gone with everything else |
//!
//! Leases, pauses, slots and places start and end by Redis' own clock, so that those of workers do not matter. Due times are reckoned by the worker that
//! made the attempt.

mod claims;
mod dead_letters;
mod error;
mod keys;
mod link;
mod oldest;
mod pacing;
mod queue;
mod scripts;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use super::meter::Meter;
use crate::config::RedisSettings;
use crate::ports::{BackendError, Observe};
use keys::Keys;
use link::Link;
use oldest::Watched;
use scripts::Scripts;

/// [`crate::ports::Queue`] in Redis. Nothing connects before the first call, and every call connects anew where it must.
pub struct RedisQueue {
    /// All that answers at once.
    link: Link,
    /// Waits for entries of door 1.
    entries: Link,
    /// Waits for accepted events.
    accepted: Link,
    keys: Keys,
    scripts: Scripts,
    lease: Duration,
    watched: Watched,
}

impl RedisQueue {
    /// # Errors
    /// [`BackendError::Refused`] when the URL is not one of Redis.
    pub fn new(settings: &RedisSettings) -> Result<Self, BackendError> {
        Self::metered(settings, Meter::default())
    }

    /// The same, and `observe` is told how long calls take.
    ///
    /// # Errors
    /// [`BackendError::Refused`] when the URL is not one of Redis.
    pub fn observed(settings: &RedisSettings, observe: Arc<dyn Observe>) -> Result<Self, BackendError> {
        Self::metered(settings, Meter::new(observe))
    }

    fn metered(settings: &RedisSettings, meter: Meter) -> Result<Self, BackendError> {
        let scripts = Scripts::new();
        let names = Arc::new(scripts.names());
        let waiting = || Link::new(&settings.url, Meter::default(), Arc::clone(&names));
        Ok(Self {
            link: Link::new(&settings.url, meter, Arc::clone(&names))?,
            entries: waiting()?,
            accepted: waiting()?,
            keys: Keys::new(&settings.prefix),
            scripts,
            lease: settings.lease,
            watched: Watched::default(),
        })
    }
}
