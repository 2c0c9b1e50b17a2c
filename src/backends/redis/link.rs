//! One connection that is made when it is needed and made anew when it broke.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};

use super::error;
use super::timed::{Names, Timed};
use crate::backends::meter::Meter;
use crate::ports::BackendError;

const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may say nothing. Blocking commands wait at most [`MAX_WAIT`], which is less.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// How long a blocking command waits at most.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Link {
    manager: Timed<ConnectionManager>,
    address: String,
}

impl Link {
    /// A command that blocks needs a link of its own: whatever else went over the same one would wait behind it.
    ///
    /// A server that says nothing for as long as `answer` is taken as gone. `meter` is told of every call.
    pub(super) fn new(client: Client, answer: Duration, meter: Meter, names: Names) -> Result<Self, BackendError> {
        let address = client.get_connection_info().addr().to_string();
        // One try for each call: the loops that call know how to wait, and a second opinion on that would add up.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(answer));
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(|source| error::map(&address, source))?;
        Ok(Self { manager: Timed::new(manager, meter, names), address })
    }

    pub(super) fn connection(&self) -> Timed<ConnectionManager> {
        self.manager.clone()
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn failed(&self) -> impl Fn(RedisError) -> BackendError + '_ {
        |source| error::map(&self.address, source)
    }
}
