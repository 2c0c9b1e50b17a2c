//! The port, method by method; each is written in the file of its noun.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryDsl;
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::schema::webhook_catalog;
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptView, DeliveryFilter, DeliveryId, DeliveryView, Totals, Waiting};
use crate::model::event::{Event, EventKey};
use crate::model::event_view::{EventDetail, EventFilter, EventPlace, EventView};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::model::page::Page;
use crate::ports::{Accepted, BackendError, Batch, Forgotten, Known, Pool, Records};

/// How long a ping waits for a connection.
const PING: Duration = Duration::from_millis(1500);

#[async_trait]
impl Records for Postgres {
    fn name(&self) -> &'static str {
        super::errors::BACKEND
    }

    fn pool(&self) -> Option<Pool> {
        Some(self.pool_state())
    }

    async fn accept(&self, events: &[Arc<Event>]) -> Result<Vec<bool>, BackendError> {
        self.accept_events(events).await
    }

    async fn accept_keyed(&self, request: &KeyedRequest, events: &[Arc<Event>]) -> Result<Taken, BackendError> {
        self.accept_keyed_events(request, events).await
    }

    async fn known(&self, keys: &[EventKey]) -> Result<Vec<Known>, BackendError> {
        self.known_events(keys).await
    }

    async fn load_accepted(&self, keys: &[EventKey], max_bytes: usize) -> Result<Vec<Accepted>, BackendError> {
        self.accepted_events(keys, max_bytes).await
    }

    async fn load_waiting(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError> {
        self.waiting_deliveries(ids).await
    }

    async fn record(&self, batch: &Batch) -> Result<(), BackendError> {
        self.record_batch(batch).await
    }

    async fn unrouted(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Vec<(EventKey, Timestamp)>, BackendError> {
        self.unrouted_events(before, from, max).await
    }

    async fn overdue(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, DeliveryId)>,
        max: usize,
    ) -> Result<Vec<(DeliveryId, Timestamp)>, BackendError> {
        self.overdue_deliveries(before, from, max).await
    }

    async fn forget_deliveries(
        &self,
        before: Timestamp,
        from: Option<DeliveryId>,
        max: usize,
    ) -> Result<Forgotten<DeliveryId>, BackendError> {
        self.forget_old_deliveries(before, from, max).await
    }

    async fn forget_events(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Forgotten<(Timestamp, EventKey)>, BackendError> {
        self.forget_old_events(before, from, max).await
    }

    async fn forget_keyed(&self, before: Timestamp, max: usize) -> Result<u64, BackendError> {
        self.forget_old_keyed(before, max).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<&EventPlace>,
        limit: u32,
    ) -> Result<Page<EventView, EventPlace>, BackendError> {
        self.list_events(filter, after, limit).await
    }

    async fn event(&self, key: &EventKey, max_bytes: usize) -> Result<Option<EventDetail>, BackendError> {
        self.one_event(key, max_bytes).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError> {
        self.list_deliveries(filter, after, limit).await
    }

    async fn delivery(&self, id: DeliveryId, tenant: Option<&str>) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError> {
        self.one_delivery(id, tenant).await
    }

    async fn totals(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError> {
        self.read_totals(since, tenant).await
    }

    async fn endpoint_totals(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError> {
        self.read_endpoint_totals(since, endpoints).await
    }

    async fn put_totals_together(&self, before: Timestamp, max: usize) -> Result<bool, BackendError> {
        Postgres::put_totals_together(self, before, max).await
    }

    /// Reads a table of ours: a server without our schema can do no work.
    async fn ping(&self) -> Result<(), BackendError> {
        // The pool tries for longer than anybody waits who asks for this, and only then says why.
        let pooled = tokio::time::timeout(PING, self.pooled()).await;
        let mut connection = pooled.unwrap_or_else(|_still_trying| Err(self.connector.no_connection_yet()))?;
        let query = webhook_catalog::table.select(webhook_catalog::revision);
        self.call("ping", query.first::<i64>(&mut *connection)).await.map(drop)
    }
}
