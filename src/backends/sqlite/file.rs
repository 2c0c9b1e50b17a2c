//! The file: who may have it, and how it is opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use crate::backends::sqlite::trouble::{refused, unavailable};
use crate::ports::BackendError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

// A commit is on the disk when it returns (FULL; the two fullfsync settings are for macOS and nothing elsewhere).
// The file is not mapped into memory: an I/O error would then kill the process instead of being reported.
const SETTINGS: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA foreign_keys = OFF;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -32768;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
";

/// Keeps every other Posthaste away from the file for as long as it lives.
///
/// # Errors
/// `Unavailable` when another process, or this one, has the file already.
pub(super) fn lock(path: &Path) -> Result<File, BackendError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private(&name).map_err(|error| unavailable(path, format!("cannot open {}: {error}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(unavailable(path, format!("another posthaste has {} open: stop it first, or choose another file", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable(path, format!("cannot lock {}: {error}", name.display()))),
    }
}

/// Makes the file where there is none, and brings its tables up to date.
pub(super) fn create(path: &Path) -> Result<SqliteConnection, BackendError> {
    // SQLite gives its side files the rights of this one, and secrets are in it.
    drop(private(path).map_err(|error| unavailable(path, error))?);
    let mut conn = connect(path)?;
    conn.batch_execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;").map_err(|error| unavailable(path, error))?;
    conn.run_pending_migrations(MIGRATIONS).map_err(refused)?;
    Ok(conn)
}

/// A connection that may write.
pub(super) fn connect(path: &Path) -> Result<SqliteConnection, BackendError> {
    let name = path.to_str().ok_or_else(|| refused(format!("{} is not UTF-8", path.display())))?;
    let mut conn = SqliteConnection::establish(name).map_err(|error| unavailable(path, error))?;
    conn.batch_execute(SETTINGS).map_err(|error| unavailable(path, error))?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn connect_to_read(path: &Path) -> Result<SqliteConnection, BackendError> {
    let mut conn = connect(path)?;
    conn.batch_execute("PRAGMA query_only = ON").map_err(|error| unavailable(path, error))?;
    Ok(conn)
}

/// Opens a file that nobody but its owner may read, making it where there is none.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
