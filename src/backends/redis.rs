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
//! With `redis.shards` there is one such set of keys for each shard, and a few for all of them: see the module `sharded`.
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
mod sharded;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use redis::Client;

use super::meter::Meter;
use crate::config::RedisSettings;
use crate::model::secret::Secret;
use crate::ports::{BackendError, Observe, Queue};
use keys::Keys;
use link::Link;
use oldest::Watched;
use scripts::Scripts;
use sharded::Sharded;

fn client(url: &Secret) -> Result<Client, BackendError> {
    Client::open(url.reveal()).map_err(|source| BackendError::Refused { backend: error::BACKEND, source: Box::new(source) })
}

/// [`crate::ports::Queue`] in one Redis. Nothing connects before the first call, and every call connects anew where it must.
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
    /// What the ids of its claims end in: nothing, or `-` and its name among the shards.
    mark: String,
    watched: Watched,
}

impl RedisQueue {
    /// # Errors
    /// [`BackendError::Refused`] when the URL is not one of Redis.
    pub fn new(settings: &RedisSettings) -> Result<Self, BackendError> {
        Self::over(&client(&settings.url)?, link::ANSWER, Keys::new(&settings.prefix), settings.lease, String::new(), Meter::default())
    }

    /// The queue that the settings ask for: this one, or shards. `observe`, if there is one, is told how long calls take. Needs a runtime; shards are reached at once.
    ///
    /// # Errors
    /// [`BackendError::Refused`] when the URL is not one of Redis.
    pub fn open(settings: &RedisSettings, observe: Option<Arc<dyn Observe>>) -> Result<Arc<dyn Queue>, BackendError> {
        let meter = observe.map(Meter::new).unwrap_or_default();
        if settings.shards > 1 {
            return Ok(Arc::new(Sharded::new(settings, meter)?));
        }
        let (client, keys) = (client(&settings.url)?, Keys::new(&settings.prefix));
        Ok(Arc::new(Self::over(&client, link::ANSWER, keys, settings.lease, String::new(), meter)?))
    }

    /// Puts entries that are left in shards into the one list again, where there were shards and are none now. May be done at any
    /// time, and again.
    ///
    /// # Errors
    /// When Redis is away, or refuses.
    pub async fn gather_shards(settings: &RedisSettings) -> Result<(), BackendError> {
        sharded::gather(settings).await
    }

    fn over(client: &Client, answer: Duration, keys: Keys, lease: Duration, mark: String, meter: Meter) -> Result<Self, BackendError> {
        let scripts = Scripts::new();
        let names = Arc::new(scripts.names());
        // Waiting is not worth telling.
        let waiting = || Link::new(client.clone(), link::ANSWER, Meter::default(), Arc::clone(&names));
        Ok(Self {
            link: Link::new(client.clone(), answer, meter, Arc::clone(&names))?,
            entries: waiting()?,
            accepted: waiting()?,
            keys,
            scripts,
            lease,
            mark,
            watched: Watched::default(),
        })
    }
}
