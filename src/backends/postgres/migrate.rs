//! Brings the schema up to date.

use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Postgres;
use super::errors::{failure, refused, unavailable};
use crate::ports::BackendError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Held while migrating, so that replicas that start together take turns. The number says "posthast" in ASCII. A migration reads tables whole.
const LOCK: &str = "SET statement_timeout TO 0; RESET enable_seqscan; SELECT pg_advisory_lock(8101821198467429236)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(8101821198467429236)";

impl Postgres {
    /// Runs the migrations that this database has not seen. Any number of processes may do so at once.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Refused` when it does not take a migration.
    pub async fn migrate(&self) -> Result<(), BackendError> {
        let address = &self.connector.address;
        let mut connection = self.connector.connect().await.map_err(|error| unavailable(address, error))?;
        connection.batch_execute(LOCK).await.map_err(|error| failure(address, error))?;
        // Diesel's migrations are synchronous: their thread may block, a worker's may not.
        let (mut connection, done) =
            tokio::task::spawn_blocking(move || run_pending(connection)).await.map_err(|error| unavailable(address, error))?;
        // Closing the connection would free the lock too, only later.
        connection.batch_execute(UNLOCK).await.map_err(|error| failure(address, error))?;
        done.map_err(refused)
    }
}

type Migrated = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn run_pending(connection: AsyncPgConnection) -> (AsyncPgConnection, Migrated) {
    let mut wrapper = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
    let done = wrapper.run_pending_migrations(MIGRATIONS).map(drop);
    (wrapper.into_inner(), done)
}
