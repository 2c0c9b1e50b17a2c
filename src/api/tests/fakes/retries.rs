//! Stopping and putting back in memory.

use std::sync::Mutex;

use async_trait::async_trait;

use super::FakeRecords;
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryId, DeliveryView};
use crate::ports::{BackendError, Bulk, Retries, RetryError, StoppedDelivery, Stopping, Window};

#[async_trait]
impl Stopping for FakeRecords {
    async fn waited_for(&self, _: Option<i64>, _: usize) -> Result<Vec<i64>, BackendError> {
        super::refused()
    }
    async fn stop_waiting(&self, _: &[(i64, String)], _: &[DeliveryId], _: usize) -> Result<Vec<StoppedDelivery>, BackendError> {
        super::refused()
    }
    async fn failed(&self, _: i64, _: Window, _: Option<DeliveryId>, _: usize) -> Result<Vec<DeliveryId>, BackendError> {
        super::refused()
    }
    async fn put_back(&self, _: &[DeliveryId], _: Timestamp) -> Result<Vec<DeliveryId>, BackendError> {
        super::refused()
    }
}

/// Answers what it was told, once, and keeps what it was asked.
#[derive(Default)]
pub(in crate::api::tests) struct FakeRetries {
    pub(in crate::api::tests) one: Mutex<Option<Result<DeliveryView, RetryError>>>,
    pub(in crate::api::tests) all: Mutex<Option<Result<Bulk<u64>, RetryError>>>,
    pub(in crate::api::tests) asked: Mutex<Vec<Asked>>,
}

#[derive(Debug, PartialEq)]
pub(in crate::api::tests) enum Asked {
    One(DeliveryId, Option<String>),
    All(i64, Option<String>, Window),
}

#[async_trait]
impl Retries for FakeRetries {
    async fn retry(&self, id: DeliveryId, tenant: Option<&str>) -> Result<DeliveryView, RetryError> {
        self.asked.lock().expect("a lock").push(Asked::One(id, tenant.map(str::to_owned)));
        self.one.lock().expect("a lock").take().unwrap_or(Err(RetryError::NotFound("delivery")))
    }

    async fn retry_failed(&self, endpoint: i64, tenant: Option<&str>, window: Window) -> Result<Bulk<u64>, RetryError> {
        self.asked.lock().expect("a lock").push(Asked::All(endpoint, tenant.map(str::to_owned), window));
        self.all.lock().expect("a lock").take().unwrap_or(Err(RetryError::NotFound("endpoint")))
    }
}
