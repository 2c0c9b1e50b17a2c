//! What a receiver did with one request. Data, never a program error.

use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::delivery::AttemptResult;

/// How many characters of an answer are kept.
pub const KEPT_BODY_CHARS: usize = 1000;

/// One attempt, finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub started_at: Timestamp,
    pub took: Duration,
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Answered(Answer),
    Failed(Failure),
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// At most [`KEPT_BODY_CHARS`] characters, without U+0000.
    pub body: String,
    /// From `Retry-After`, counted from the answer.
    pub retry_after: Option<Duration>,
}

/// No HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// For people: what failed, without secrets or credentials.
    pub detail: String,
}

/// Which step of a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    Timeout,
    Dns,
    Blocked,
    Refused,
    Reset,
    Tls,
    Protocol,
}

impl FailureKind {
    pub const ALL: [Self; 7] = [Self::Timeout, Self::Dns, Self::Blocked, Self::Refused, Self::Reset, Self::Tls, Self::Protocol];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Dns => "DNS failure",
            Self::Blocked => "blocked address",
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::Tls => "TLS failure",
            Self::Protocol => "protocol error",
        }
    }
}

impl Outcome {
    /// `2xx`, `3xx` … or the kind of failure: a word for metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Answered(answer) => match answer.status {
                100..=199 => "1xx",
                200..=299 => "2xx",
                300..=399 => "3xx",
                400..=499 => "4xx",
                _ => "5xx",
            },
            Self::Failed(failure) => failure.kind.as_str(),
        }
    }

    /// What went wrong, for people; `None` when it succeeded.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Answered(_) if self.is_success() => None,
            Self::Answered(answer) => Some(format!("the receiver answered {}", answer.status)),
            Self::Failed(failure) => Some(format!("{}: {}", failure.kind.as_str(), failure.detail.replace('\0', ""))),
        }
    }

    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered(answer) if (200..300).contains(&answer.status))
    }
}

impl Attempt {
    /// The attempt as the records keep it.
    #[must_use]
    pub fn into_result(self) -> AttemptResult {
        let error_message = self.outcome.error();
        let (response_status, response_body) = match self.outcome {
            Outcome::Answered(answer) => (Some(answer.status), Some(answer.body)),
            Outcome::Failed(_) => (None, None),
        };
        AttemptResult { at: self.started_at, response_status, response_body, response_time: self.took.as_secs_f64(), error_message }
    }
}
