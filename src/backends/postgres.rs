//! The records and the endpoints in PostgreSQL. `migrations/postgres` is the only DDL.

mod connect;
mod deliveries;
mod endpoint_row;
mod endpoints;
mod errors;
mod event_list;
mod events;
mod keyed;
mod lists;
mod migrate;
mod outbox;
mod owners;
mod record;
mod records;
mod retention;
mod run_pages;
mod runs;
mod schema;
mod secrets;
mod statement;
mod stopping;
mod totals;
mod waiting;
mod write;

use std::future::Future;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::bb8;
use tokio::sync::Mutex;

use crate::backends::meter::Meter;
use crate::backends::vault::Vault;
use crate::config::{PostgresSettings, SecuritySettings};
use crate::model::clock::Timestamp;
use crate::ports::{BackendError, Observe, Pool};

use connect::Connector;
pub use outbox::PostgresOutbox;

/// Before everything that the records hold.
const FIRST_TIME: Timestamp = DateTime::UNIX_EPOCH;

/// After everything that they hold.
const LAST_TIME: Timestamp = Timestamp::MAX_UTC;

/// Times that Postgres can hold: its calendar starts later than ours, and ours ends earlier than its.
fn in_calendar(at: Timestamp) -> Timestamp {
    at.max(FIRST_TIME)
}

/// The records and the catalog. Connects when it is first needed, and again when a connection broke.
pub struct Postgres {
    connector: Arc<Connector>,
    pool: bb8::Pool<AsyncPgConnection>,
    /// The recorder's own connection: no reader can keep a commit waiting. Not here while it is in use, so that one
    /// whose work was cut off half-way is dropped and not used again.
    recorder: Mutex<Option<AsyncPgConnection>>,
    deadline: Duration,
    vault: Vault,
    meter: Meter,
}

impl Postgres {
    /// Reads the settings. The server need not be up. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// `Refused` when the URL is not one, or when the system has no certificates that TLS could trust.
    pub fn new(settings: &PostgresSettings) -> Result<Self, BackendError> {
        let connector = Arc::new(Connector::new(settings)?);
        let pool = connector.pool(settings.connections);
        let deadline = settings.connect_timeout + settings.statement_timeout;
        Ok(Self { connector, pool, recorder: Mutex::new(None), deadline, vault: Vault::default(), meter: Meter::default() })
    }

    /// Secrets are encrypted with these keys from now on.
    #[must_use]
    pub fn with_keys(self, security: &SecuritySettings) -> Self {
        Self { vault: Vault::new(security), ..self }
    }

    /// From now on `observe` is told how long calls take.
    #[must_use]
    pub fn observed(self, observe: Arc<dyn Observe>) -> Self {
        Self { meter: Meter::new(observe), ..self }
    }

    fn pool_state(&self) -> Pool {
        let state = self.pool.state();
        let (gets, direct) = (state.statistics.get_started, state.statistics.get_direct);
        let waiting = gets.saturating_sub(direct + state.statistics.get_waited + state.statistics.get_timed_out);
        let (all, idle) = (u64::from(state.connections), u64::from(state.idle_connections));
        let limit = u64::from(self.pool.config().max_size);
        Pool { limit, idle, in_use: all.saturating_sub(idle), waiting }
    }

    async fn pooled(&self) -> Result<bb8::PooledConnection<'_, AsyncPgConnection>, BackendError> {
        self.pool.get().await.map_err(|error| self.connector.no_connection(error))
    }

    /// Waits for the server, but not for ever: a host that vanished gives no answer at all. Shown as a call named like the file that makes it.
    #[track_caller]
    fn within<T>(&self, work: impl Future<Output = QueryResult<T>>) -> impl Future<Output = Result<T, BackendError>> {
        let name = Path::new(Location::caller().file()).file_stem().and_then(|name| name.to_str());
        self.call(name.unwrap_or("other"), work)
    }

    /// The same, with a name of its own.
    async fn call<T>(&self, name: &'static str, work: impl Future<Output = QueryResult<T>>) -> Result<T, BackendError> {
        let answered = async {
            match tokio::time::timeout(self.deadline, work).await {
                Ok(done) => done.map_err(|error| errors::failure(&self.connector.address, error)),
                Err(elapsed) => Err(errors::unavailable(&self.connector.address, elapsed)),
            }
        };
        self.meter.time(errors::BACKEND, name, |_| false, answered).await
    }
}
