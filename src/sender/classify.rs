//! From a client error to the step that failed.

use std::error::Error;
use std::io::ErrorKind;

use super::guard::{Blocked, ResolveError};
use crate::model::outcome::{Failure, FailureKind};

/// Which step of a request an error stands for. The detail never holds the URL: its query may carry credentials.
pub(super) fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let kind = kind_of(&error);
    Failure { kind, detail: innermost(&error) }
}

pub(super) fn blocked(reason: &Blocked) -> Failure {
    Failure { kind: FailureKind::Blocked, detail: reason.to_string() }
}

fn kind_of(error: &reqwest::Error) -> FailureKind {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Protocol };
    while let Some(current) = cause {
        match current.downcast_ref::<ResolveError>() {
            Some(ResolveError::Blocked { .. }) => return FailureKind::Blocked,
            Some(ResolveError::Lookup { .. }) => return FailureKind::Dns,
            None => {}
        }
        if is_tls(current) {
            return FailureKind::Tls;
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            kind = from_io(io.kind());
        } else if let Some(http) = current.downcast_ref::<hyper::Error>()
            && (http.is_incomplete_message() || http.is_canceled() || http.is_closed())
        {
            kind = FailureKind::Reset;
        }
        cause = current.source();
    }
    kind
}

/// rustls' errors travel inside of I/O errors, and those inside of others, where source() passes them over.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

fn from_io(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::TimedOut => FailureKind::Timeout,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => FailureKind::Reset,
        _ => FailureKind::Refused,
    }
}

/// The last cause says what happened; those before it only say where.
fn innermost(error: &dyn Error) -> String {
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        last = current.to_string();
        if current.is::<ResolveError>() {
            break;
        }
        cause = current.source();
    }
    last
}
