//! One connection that is made when it is needed and made anew when it broke.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};

use super::error::{self, BACKEND};
use super::timed::{Names, Timed};
use crate::backends::meter::Meter;
use crate::model::secret::Secret;
use crate::ports::BackendError;

const CONNECT: Duration = Duration::from_secs(5);
/// A server that says nothing for so long is taken as gone. Blocking commands wait at most [`MAX_WAIT`], which is less.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a blocking command waits at most.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Link {
    manager: Timed<ConnectionManager>,
    address: String,
}

impl Link {
    /// A command that blocks needs a link of its own: whatever else went over the same one would wait behind it.
    /// `meter` is told of every call; waiting is not worth telling.
    pub(super) fn new(url: &Secret, meter: Meter, names: Names) -> Result<Self, BackendError> {
        let client = Client::open(url.reveal()).map_err(|source| BackendError::Refused { backend: BACKEND, source: Box::new(source) })?;
        let address = client.get_connection_info().addr().to_string();
        // One try for each call: the loops that call know how to wait, and a second opinion on that would add up.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(|source| error::map(&address, source))?;
        Ok(Self { manager: Timed::new(manager, meter, names), address })
    }

    pub(super) fn connection(&self) -> Timed<ConnectionManager> {
        self.manager.clone()
    }

    pub(super) fn failed(&self) -> impl Fn(RedisError) -> BackendError + '_ {
        |source| error::map(&self.address, source)
    }
}
