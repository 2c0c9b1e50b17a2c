//! From a client error to the step that failed.

use std::error::Error;
use std::io::ErrorKind;

use super::guard::Blocked;
use super::resolve::ResolveError;
use crate::model::outcome::{Failure, FailureKind};

/// Which step of a request an error stands for. The detail never holds the URL: its query may carry credentials.
pub(super) fn failure(error: &(dyn Error + 'static)) -> Failure {
    Failure { kind: kind_of(error), detail: innermost(error) }
}

/// Whether the receiver says over HTTP/2 that it did nothing with the request (RFC 9113, section 8.7).
pub(super) fn is_untouched(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<h2::Error>() {
            let left = error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
            return left || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        }
        cause = current.source();
    }
    false
}

pub(super) fn blocked(reason: &Blocked) -> Failure {
    Failure { kind: FailureKind::Blocked, detail: reason.to_string() }
}

pub(super) fn unusable_url() -> Failure {
    Failure { kind: FailureKind::Protocol, detail: "no request can be made to this URL".to_owned() }
}

fn kind_of(error: &(dyn Error + 'static)) -> FailureKind {
    let mut cause = Some(error);
    let mut kind = FailureKind::Protocol;
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
        } else if let Some(http) = current.downcast_ref::<hyper::Error>() {
            if http.is_timeout() {
                kind = FailureKind::Timeout;
            } else if http.is_incomplete_message() || http.is_canceled() || http.is_closed() {
                kind = FailureKind::Reset;
            }
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
        ErrorKind::InvalidData => FailureKind::Protocol,
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
