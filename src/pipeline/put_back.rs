//! Failed deliveries are put back: they wait again, and are due at once.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{DeliveryId, DeliveryView, Status};
use crate::model::run::{Run, RunKind};
use crate::ports::{Bulk, Catalog, Queue, Records, Retries, RetryError, Settlement, Started, Window};

/// Deliveries that are put back while somebody waits. More of them are for a run.
const AT_ONCE: usize = 100;

/// [`Retries`] over the records and the queue.
pub struct PutBack {
    pub records: Arc<dyn Records>,
    pub queue: Arc<dyn Queue>,
    pub catalog: Arc<dyn Catalog>,
}

impl PutBack {
    async fn find(&self, id: DeliveryId, tenant: Option<&str>) -> Result<DeliveryView, RetryError> {
        self.records.delivery(id, tenant).await?.map(|(view, _)| view).ok_or(RetryError::NotFound("delivery"))
    }
}

/// Puts them on the schedule. They wait in the records already, so a queue that is away fails nothing: the sweep
/// puts them there.
pub(super) async fn schedule(queue: &dyn Queue, ids: Vec<DeliveryId>, due: Timestamp) {
    let settlement = Settlement { scheduled: ids.into_iter().map(|id| (id, due)).collect(), ..Settlement::default() };
    if settlement.is_empty() {
        return;
    }
    if let Err(error) = queue.settle(&settlement).await {
        let deliveries = settlement.scheduled.len();
        tracing::warn!(%error, deliveries, "deliveries were put back, and will be on the schedule with the next sweep");
    }
}

#[async_trait]
impl Retries for PutBack {
    async fn retry(&self, id: DeliveryId, tenant: Option<&str>) -> Result<DeliveryView, RetryError> {
        let found = self.find(id, tenant).await?;
        if found.status != Status::Failed {
            return Err(RetryError::NotFailed(found.status));
        }
        match self.catalog.get(found.endpoint_id, None).await? {
            None => return Err(RetryError::Removed(found.endpoint_id)),
            Some(endpoint) if !endpoint.spec.is_active => return Err(RetryError::Disabled(endpoint.id)),
            Some(_) => {}
        }
        let due = clock::now();
        let back = self.records.put_back(&[id], due).await?;
        // Read before it is on the schedule: the answer shows it waiting, and not what came of it.
        let view = self.find(id, tenant).await;
        if back.is_empty() {
            let status = view?.status;
            return Err(if status == Status::Failed { RetryError::EventGone } else { RetryError::NotFailed(status) });
        }
        schedule(&*self.queue, back, due).await;
        view
    }

    async fn retry_failed(&self, endpoint: i64, tenant: Option<&str>, window: Window) -> Result<Bulk<u64>, RetryError> {
        let found = self.catalog.get(endpoint, tenant).await?.ok_or(RetryError::NotFound("endpoint"))?;
        if !found.spec.is_active {
            return Err(RetryError::Disabled(endpoint));
        }
        // What is enqueued while a run goes on is not for it.
        let window = Window { until: Some(window.until.unwrap_or_else(clock::now)), ..window };
        let page = self.records.failed(endpoint, window, None, AT_ONCE + 1).await?;
        if page.len() > AT_ONCE {
            let run = Run {
                tenant: Some(found.tenant),
                endpoint_id: Some(endpoint),
                since: window.since,
                until: window.until,
                ..Run::new(RunKind::RetryFailed)
            };
            return match self.records.start_run(&run).await? {
                Started::New => Ok(Bulk::Started(Box::new(run))),
                Started::Already(id) => Err(RetryError::Running(id)),
            };
        }
        let due = clock::now();
        let back = self.records.put_back(&page, due).await?;
        let retried = back.len() as u64;
        schedule(&*self.queue, back, due).await;
        Ok(Bulk::Done(retried))
    }
}
