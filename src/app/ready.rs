//! Whether this process can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{BackendError, Observe, PartHealth, Phase, Queue, Readiness, Records};

/// A part that says nothing for so long is taken as away.
const PATIENCE: Duration = Duration::from_secs(2);

const STARTING: u8 = 0;
const RUNNING: u8 = 1;
const STOPPING: u8 = 2;

/// Asks the queue, the records and this process itself.
pub(super) struct Parts {
    queue: Arc<dyn Queue>,
    records: Arc<dyn Records>,
    observe: Arc<dyn Observe>,
    has_worker: bool,
    phase: AtomicU8,
}

impl Parts {
    pub(super) fn new(queue: Arc<dyn Queue>, records: Arc<dyn Records>, observe: Arc<dyn Observe>, has_worker: bool) -> Self {
        Self { queue, records, observe, has_worker, phase: AtomicU8::new(STARTING) }
    }

    pub(super) fn started(&self) {
        self.phase.store(RUNNING, Ordering::Release);
        self.observe.phase(Phase::Running, self.has_worker);
    }

    pub(super) fn stopping(&self) {
        self.phase.store(STOPPING, Ordering::Release);
        self.observe.phase(Phase::Stopping, false);
    }
}

#[async_trait]
impl Readiness for Parts {
    async fn check(&self) -> Vec<PartHealth> {
        let queue = tokio::time::timeout(PATIENCE, self.queue.ping());
        let records = tokio::time::timeout(PATIENCE, self.records.ping());
        let (queue, records) = tokio::join!(queue, records);
        let trouble = |answer: Result<Result<(), BackendError>, tokio::time::error::Elapsed>| match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("does not answer within {} s", PATIENCE.as_secs())),
        };
        let process = match self.phase.load(Ordering::Acquire) {
            RUNNING => None,
            STARTING => Some("is starting: it waits for the tables and the endpoints".to_owned()),
            _ => Some("is shutting down".to_owned()),
        };
        let mut parts = vec![PartHealth { part: self.records.name(), trouble: trouble(records) }];
        if self.queue.name() != self.records.name() {
            parts.push(PartHealth { part: self.queue.name(), trouble: trouble(queue) });
        }
        parts.push(PartHealth { part: "process", trouble: process });
        parts
    }
}
