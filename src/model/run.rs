//! A run: bulk work that goes on in the background.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;

/// Names a run: a UUIDv7, so ids sort by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// Puts back failed deliveries of one endpoint.
    RetryFailed,
    RequeueDeadLetters,
}

impl RunKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryFailed => "retry_failed",
            Self::RequeueDeadLetters => "requeue_dead_letters",
        }
    }
}

impl FromStr for RunKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::RetryFailed, Self::RequeueDeadLetters].into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no kind of run"))
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    Running,
    Done,
    Cancelled,
    /// It cannot go on; its error says why.
    Failed,
}

impl RunStatus {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for RunStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Running, Self::Done, Self::Cancelled, Self::Failed];
        all.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("`{text}` is no status of a run"))
    }
}

/// One run, as it is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub kind: RunKind,
    /// `None`: of all tenants.
    pub tenant: Option<Arc<str>>,
    pub endpoint_id: Option<i64>,
    /// Deliveries that were created in this window: at `since` or later, and before `until`.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub status: RunStatus,
    /// What was put back.
    pub done: u64,
    /// What was looked at and had to stay.
    pub refused: u64,
    /// How much there was to do; `None` while nobody has counted it, and where that would take too long.
    pub total: Option<u64>,
    /// The last one that was looked at.
    pub position: Option<String>,
    /// Of what was put back, all deliveries before this one have been attempted.
    pub mark: Option<DeliveryId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub error: Option<String>,
}

impl Run {
    /// One that starts now, without an endpoint, a window or a total.
    #[must_use]
    pub fn new(kind: RunKind) -> Self {
        let now = clock::now();
        Self {
            id: RunId(Uuid::now_v7()),
            kind,
            tenant: None,
            endpoint_id: None,
            since: None,
            until: None,
            status: RunStatus::Running,
            done: 0,
            refused: 0,
            total: None,
            position: None,
            mark: None,
            created_at: now,
            updated_at: now,
            finished_at: None,
            error: None,
        }
    }
}
