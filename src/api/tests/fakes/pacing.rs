//! What is paused, in memory.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::away;
use crate::ports::{Ask, BackendError, Given, NewPause, Pacing, Pauses};

#[derive(Default)]
pub(in crate::api::tests) struct FakePacing {
    /// `None`: the queue is away.
    pub(in crate::api::tests) pauses: Mutex<Option<Pauses>>,
    /// How often all of it was read.
    pub(in crate::api::tests) reads: Mutex<usize>,
}

#[async_trait]
impl Pacing for FakePacing {
    async fn pause(&self, _: &[NewPause]) -> Result<(), BackendError> {
        super::refused()
    }
    async fn probe(&self, _: i64, _: Duration) -> Result<bool, BackendError> {
        super::refused()
    }
    async fn recovered(&self, _: &[i64]) -> Result<(), BackendError> {
        super::refused()
    }
    async fn pauses(&self, known: u64) -> Result<Option<Pauses>, BackendError> {
        let pauses = self.pauses.lock().expect("a lock").clone().ok_or_else(away)?;
        if pauses.revision == known {
            return Ok(None);
        }
        *self.reads.lock().expect("a lock") += 1;
        Ok(Some(pauses))
    }
    async fn slots(&self, _: &[Ask]) -> Result<Vec<Given>, BackendError> {
        super::refused()
    }
}
