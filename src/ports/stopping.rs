//! Deliveries that are stopped because their endpoint is disabled or removed, and failed ones that are put back.

use std::sync::Arc;

use async_trait::async_trait;

use super::{BackendError, Bulk};
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryId, DeliveryView, Status};
use crate::model::run::RunId;

/// A delivery that waited, and was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedDelivery {
    pub id: DeliveryId,
    pub event_type: Arc<str>,
}

/// A part of the [`Records`](super::Records): whole endpoints' deliveries at once.
#[async_trait]
pub trait Stopping: Send + Sync {
    /// Up to `max` endpoints that deliveries wait for, by id, after `from`. Endpoints that are gone are among them.
    async fn waited_for(&self, from: Option<i64>, max: usize) -> Result<Vec<i64>, BackendError>;

    /// Lets up to `max` waiting deliveries of these endpoints fail, each with its endpoint's reason, and answers which. An endpoint that is
    /// active is passed over, and so are the deliveries in `except`; fewer than `max` means that no other is left,
    /// but for those that somebody else is writing right now. What became of their attempts stays.
    ///
    /// An attempt that was under way can still be recorded by a step: one that succeeded makes the delivery
    /// delivered, after any other it stays failed with the same reason.
    async fn stop_waiting(
        &self,
        endpoints: &[(i64, String)],
        except: &[DeliveryId],
        max: usize,
    ) -> Result<Vec<StoppedDelivery>, BackendError>;

    /// Up to `max` failed deliveries of the endpoint, oldest first, that come after `from` and were created in the window.
    async fn failed(&self, endpoint: i64, window: Window, from: Option<DeliveryId>, max: usize) -> Result<Vec<DeliveryId>, BackendError>;

    /// Lets those of these deliveries that failed wait again, due at `due`, and answers which. They keep their attempts and
    /// their number, and lose the reason that they were stopped with. One whose event is gone stays failed.
    async fn put_back(&self, ids: &[DeliveryId], due: Timestamp) -> Result<Vec<DeliveryId>, BackendError>;
}

/// A span of time that deliveries were created in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// Why nothing was put back.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the delivery is {}: only a failed one can be put back", .0.as_str())]
    NotFailed(Status),
    #[error("endpoint {0} is disabled: enable the endpoint first, with PATCH /api/webhooks/endpoints/{0} and {{\"is_active\": true}}")]
    Disabled(i64),
    #[error("endpoint {0} was removed: its deliveries cannot be put back")]
    Removed(i64),
    #[error("the delivery's event is gone, so there is nothing to send")]
    EventGone,
    #[error(
        "run {0} does this already: see GET /api/webhooks/runs/{0}, or end it with POST /api/webhooks/runs/{0}/cancel before another one starts"
    )]
    Running(RunId),
}

/// Puts failed deliveries back: what was put back goes out at once, with the next attempt number.
#[async_trait]
pub trait Retries: Send + Sync {
    /// One delivery, as it is then.
    async fn retry(&self, id: DeliveryId, tenant: Option<&str>) -> Result<DeliveryView, RetryError>;

    /// All that failed of one endpoint in the window, oldest first: at once where there are up to a hundred, and otherwise by a run.
    /// Answers how many there were.
    async fn retry_failed(&self, endpoint: i64, tenant: Option<&str>, window: Window) -> Result<Bulk<u64>, RetryError>;
}
