//! Diesel's errors, sorted by what a caller does about them.

use std::path::Path;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::ports::BackendError;

pub(super) const BACKEND: &str = "sqlite";

/// What SQLite says (`sqlite3_errstr`) when the file or the machine is the trouble, and not the statement.
const PASSING: [&str; 7] = ["full", "disk I/O error", "locked", "unable to open", "readonly", "out of memory", "interrupted"];

/// What went wrong inside a transaction. Knows nothing of the file yet: [`Trouble::at`] adds it.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    Unavailable(String),
    Refused(String),
}

impl Trouble {
    /// A stored value that is not what this program writes.
    pub(super) fn odd(table: &str, row: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::Refused(format!("{table}, row {row}: {why}"))
    }

    pub(super) fn at(self, path: &Path) -> BackendError {
        match self {
            Self::Unavailable(why) => unavailable(path, why),
            Self::Refused(why) => refused(why),
        }
    }
}

impl From<DieselError> for Trouble {
    fn from(error: DieselError) -> Self {
        let passing = match &error {
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, about) => PASSING.iter().any(|words| about.message().contains(words)),
            DieselError::DatabaseError(kind, _) => {
                matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection)
            }
            DieselError::NotFound
            | DieselError::InvalidCString(_)
            | DieselError::QueryBuilderError(_)
            | DieselError::SerializationError(_)
            | DieselError::DeserializationError(_) => false,
            // A transaction that could not be opened, closed or undone: the connection is made anew.
            _ => true,
        };
        if passing { Self::Unavailable(error.to_string()) } else { Self::Refused(error.to_string()) }
    }
}

/// Try again later.
pub(super) fn unavailable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::Unavailable { backend: BACKEND, address: path.display().to_string(), source: source.into() }
}

/// Trying again will not help.
pub(super) fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::Refused { backend: BACKEND, source: source.into() }
}
