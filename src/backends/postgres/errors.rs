//! Which of Postgres' errors are trouble that passes, and which are a no.

use diesel::result::{DatabaseErrorKind, Error};

use crate::ports::BackendError;

pub(super) const BACKEND: &str = "postgres";

type Source = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn unavailable(address: &str, source: impl Into<Source>) -> BackendError {
    BackendError::Unavailable { backend: BACKEND, address: address.to_owned(), source: source.into() }
}

pub(super) fn refused(source: impl Into<Source>) -> BackendError {
    BackendError::Refused { backend: BACKEND, source: source.into() }
}

pub(super) fn failure(address: &str, error: Error) -> BackendError {
    if passes(&error) { unavailable(address, error) } else { refused(error) }
}

pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Whether trying the same again can help.
fn passes(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, info) => message_passes(info.message()),
        Error::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ReadOnlyTransaction
        ),
        Error::RollbackErrorOnCommit { .. }
        | Error::RollbackTransaction
        | Error::AlreadyInTransaction
        | Error::BrokenTransactionManager => true,
        _ => false,
    }
}

/// Diesel keeps the SQLSTATE of only a few errors; of the others there is the text. `connect` asks for English.
fn message_passes(message: &str) -> bool {
    // 57xxx, 40P01, 55P03, 53xxx, 58xxx, XX000; the last two heal with a new connection.
    const PASSING: [&str; 14] = [
        "terminating connection",
        "canceling statement",
        "the database system is",
        "deadlock detected",
        "out of memory",
        "out of shared memory",
        "sorry, too many clients",
        "too many connections",
        "remaining connection slots",
        "temporary file size exceeds",
        "could not ",
        "cannot execute",
        "cached plan must not change",
        "prepared statement",
    ];
    // These start like an I/O error, and are the statement's own fault.
    const FINAL: [&str; 5] =
        ["could not determine", "could not identify", "could not find", "could not convert", "could not create unique index"];
    let starts = |list: &[&str]| list.iter().any(|start| message.starts_with(start));
    (starts(&PASSING) && !starts(&FINAL)) || message.contains("No space left on device") || message.contains("Disk quota exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_server_passes_and_bad_data_does_not() {
        let table = [
            ("terminating connection due to administrator command", true),
            ("canceling statement due to statement timeout", true),
            ("could not extend file \"base/5/16384\": No space left on device", true),
            ("deadlock detected", true),
            ("the database system is shutting down", true),
            ("invalid input syntax for type json", false),
            ("relation \"webhook_events\" does not exist", false),
            ("could not determine data type of parameter $1", false),
            ("stack depth limit exceeded", false),
        ];
        for (message, wanted) in table {
            assert_eq!(message_passes(message), wanted, "{message}");
        }
    }
}
