//! Everything in one SQLite file, for one process: the embedded mode.
//!
//! One thread writes, and calls that arrive while it does share its next commit; two others read. Leases, reservations,
//! the schedule and pauses are in memory (`book`): no other process can have the file.
//!
//! One row is asked for by its key with `get_result`, not with `first`: that adds a `LIMIT` that is bound, and SQLite plans a statement anew each
//! time its limit is bound.

mod book;
mod catalog;
mod dead_letters;
mod deliveries;
mod endpoints;
mod event_list;
mod events;
mod file;
mod keyed;
mod lists;
mod owners;
mod pacing;
mod queue;
mod records;
mod retention;
mod runs;
mod schedule;
mod schema;
mod secrets;
mod stopping;
#[cfg(test)]
mod tests;
mod threads;
mod totals;
mod trouble;
mod values;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel::SqliteConnection;
use tokio::sync::Notify;

use crate::backends::meter::Meter;
use crate::backends::sqlite::book::{Book, ROOM};
use crate::backends::sqlite::threads::Threads;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::vault::Vault;
use crate::config::SecuritySettings;
use crate::model::clock::Timestamp;
use crate::ports::{BackendError, Observe};

const READERS: usize = 2;

/// The queue, the records and the catalog of the embedded mode.
#[derive(Debug)]
pub struct Sqlite {
    // Fields are dropped in this order: the lock goes last, when no thread has the file any more.
    writer: Threads,
    readers: Threads,
    book: Mutex<Book>,
    offered: Notify,
    vault: Arc<Vault>,
    _lock: File,
}

impl Sqlite {
    /// Opens the file, making it where there is none, and offers what an earlier process left unfinished. `lease` is the
    /// length of all leases. Blocks while it works; dropping blocks until the last commit is done.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be opened, or when another Posthaste has it: the message says which file.
    pub fn open(path: &Path, lease: Duration) -> Result<Self, BackendError> {
        let lock = file::lock(path)?;
        let mut conn = file::create(path)?;
        let book = remember(&mut conn, lease).map_err(|trouble| trouble.at(path))?;
        let path = Arc::new(path.to_owned());
        let readers = Threads::readers(Arc::clone(&path), READERS)?;
        let writer = Threads::writer(path, conn)?;
        Ok(Self { writer, readers, book: Mutex::new(book), offered: Notify::new(), vault: Arc::default(), _lock: lock })
    }

    /// Secrets are encrypted with these keys from now on.
    #[must_use]
    pub fn with_keys(self, security: &SecuritySettings) -> Self {
        Self { vault: Arc::new(Vault::new(security)), ..self }
    }

    /// From now on `observe` is told how long calls take, waiting for their turn included.
    #[must_use]
    pub fn observed(mut self, observe: &Arc<dyn Observe>) -> Self {
        self.writer.meter = Meter::new(Arc::clone(observe));
        self.readers.meter = Meter::new(Arc::clone(observe));
        self
    }

    /// Never held across an await.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes through the thread that writes, and so through its whole queue.
    async fn check(&self) -> Result<(), BackendError> {
        self.writer.run(endpoints::revision).await.map(drop)
    }
}

/// The book as the file knows it: all that is unfinished, and nothing leased.
fn remember(conn: &mut SqliteConnection, lease: Duration) -> Result<Book, Trouble> {
    let mut book = Book::new(lease, ROOM);
    for (key, accepted_at) in events::unrouted(conn, Timestamp::MAX_UTC, None, ROOM)? {
        book.offer(&key, accepted_at);
    }
    for (id, due) in deliveries::overdue(conn, Timestamp::MAX_UTC, None, ROOM)? {
        book.schedule.put_missing(id, due);
    }
    book.dead_letters = values::number(queue::count_dead_letters(conn)?);
    Ok(book)
}
