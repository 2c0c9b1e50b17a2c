//! From Redis' errors to those of the ports.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::ports::BackendError;

pub(super) const BACKEND: &str = "redis";

/// A wrong type under one of our keys, or a script that fails, will not get better by waiting; everything else may.
pub(super) fn map(address: &str, source: RedisError) -> BackendError {
    let refused = matches!(
        source.kind(),
        ErrorKind::Parse
            | ErrorKind::UnexpectedReturnType
            | ErrorKind::InvalidClientConfig
            | ErrorKind::Client
            | ErrorKind::Extension
            | ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot | ServerErrorKind::NoPerm)
    ) && !matches!(source.code(), Some("OOM" | "MISCONF" | "NOREPLICAS"));
    if refused {
        BackendError::Refused { backend: BACKEND, source: Box::new(source) }
    } else {
        BackendError::Unavailable { backend: BACKEND, address: address.to_owned(), source: Box::new(source) }
    }
}
