//! Runs and dead letters in memory: there are none.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{FakeRecords, refused};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::page::Page;
use crate::model::run::{Run, RunId, RunStatus};
use crate::ports::{
    Advance, BackendError, Bulk, DeadLetters, Letters, LettersAsked, Pace, Requeue, Requeued, RetriedPage, RetryError, Runs, Started,
};

#[async_trait]
impl Runs for FakeRecords {
    async fn start_run(&self, _: &Run) -> Result<Started, BackendError> {
        refused()
    }
    async fn find_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let runs = self.runs.lock().expect("a lock");
        Ok(runs.iter().find(|run| run.id == id && (tenant.is_none() || run.tenant.as_deref() == tenant)).cloned())
    }
    async fn list_runs(&self, tenant: Option<&str>, after: Option<RunId>, limit: u32) -> Result<Page<Run, RunId>, BackendError> {
        let runs = self.runs.lock().expect("a lock");
        let seen = runs.iter().rev().filter(|run| tenant.is_none() || run.tenant.as_deref() == tenant);
        let rows = seen.filter(|run| after.is_none_or(|after| run.id < after)).take(limit as usize + 1).cloned();
        Ok(Page::from_rows(rows.collect(), limit, |run| run.id))
    }
    async fn cancel_run(&self, id: RunId, tenant: Option<&str>) -> Result<Option<Run>, BackendError> {
        let mut runs = self.runs.lock().expect("a lock");
        let own = |run: &&mut Run| run.id == id && (tenant.is_none() || run.tenant.as_deref() == tenant);
        let running = runs.iter_mut().find(own).filter(|run| run.status == RunStatus::Running);
        Ok(running.map(|run| {
            run.status = RunStatus::Cancelled;
            run.clone()
        }))
    }
    async fn claim_run(&self, _: Uuid, _: Duration) -> Result<Option<Run>, BackendError> {
        refused()
    }
    async fn measure_run(&self, _: &Run, _: Uuid) -> Result<(), BackendError> {
        refused()
    }
    async fn still_due(&self, _: i64, _: (DeliveryId, DeliveryId), _: Timestamp, _: usize) -> Result<Vec<DeliveryId>, BackendError> {
        refused()
    }
    async fn retry_page(&self, _: &Run, _: Uuid, _: Pace) -> Result<Option<RetriedPage>, BackendError> {
        refused()
    }
    async fn advance_run(&self, _: RunId, _: Uuid, _: &Advance) -> Result<bool, BackendError> {
        refused()
    }
    async fn forget_runs(&self, _: Timestamp) -> Result<u64, BackendError> {
        refused()
    }
}

/// Keeps what it was asked to remove or to enqueue again: these ids, or all.
#[derive(Default)]
pub(in crate::api::tests) struct FakeLetters {
    pub(in crate::api::tests) removed: Mutex<Vec<Option<Vec<String>>>>,
    pub(in crate::api::tests) requeued: Mutex<Vec<Option<Vec<String>>>>,
}

#[async_trait]
impl DeadLetters for FakeLetters {
    async fn letters(&self, _: LettersAsked<'_>) -> Result<Letters, BackendError> {
        Ok(Letters { items: Vec::new(), next: None, total: 0 })
    }
    async fn remove_letters(&self, ids: &[String], _: Option<u64>) -> Result<u64, BackendError> {
        self.removed.lock().expect("a lock").push(Some(ids.to_vec()));
        Ok(ids.len() as u64)
    }
    async fn remove_all_letters(&self) -> Result<u64, BackendError> {
        self.removed.lock().expect("a lock").push(None);
        Ok(7)
    }
}

#[async_trait]
impl Requeue for FakeLetters {
    async fn requeue(&self, ids: &[String]) -> Result<Requeued, BackendError> {
        self.requeued.lock().expect("a lock").push(Some(ids.to_vec()));
        Ok(Requeued { requeued: 1, refused: vec![("b".into(), "not an event".into())] })
    }
    async fn requeue_all(&self) -> Result<Bulk<Requeued>, RetryError> {
        self.requeued.lock().expect("a lock").push(None);
        Ok(Bulk::Done(Requeued { requeued: 3, refused: Vec::new() }))
    }
}
