//! The records on one file.

use std::sync::Arc;

use async_trait::async_trait;

use crate::backends::sqlite::{Sqlite, deliveries, event_list, events, keyed, lists, retention, totals};
use crate::model::clock::Timestamp;
use crate::model::delivery::{AttemptView, DeliveryFilter, DeliveryId, DeliveryView, Totals, Waiting};
use crate::model::event::{Event, EventKey};
use crate::model::event_view::{EventDetail, EventFilter, EventPlace, EventView};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::model::page::Page;
use crate::ports::{Accepted, BackendError, Batch, Forgotten, Known, Records};

#[async_trait]
impl Records for Sqlite {
    fn name(&self) -> &'static str {
        super::trouble::BACKEND
    }

    async fn accept(&self, events: &[Arc<Event>]) -> Result<Vec<bool>, BackendError> {
        let events = events.to_vec();
        self.writer.run(move |conn| events.iter().map(|event| events::accept(conn, event)).collect()).await
    }

    async fn accept_keyed(&self, request: &KeyedRequest, events: &[Arc<Event>]) -> Result<Taken, BackendError> {
        let (request, events) = (request.clone(), events.to_vec());
        self.writer.run(move |conn| keyed::accept(conn, &request, &events)).await
    }

    async fn known(&self, keys: &[EventKey]) -> Result<Vec<Known>, BackendError> {
        let keys = keys.to_vec();
        self.readers.run(move |conn| keys.iter().map(|key| events::known(conn, key)).collect()).await
    }

    async fn load_accepted(&self, keys: &[EventKey], max_bytes: usize) -> Result<Vec<Accepted>, BackendError> {
        let keys = keys.to_vec();
        let load = move |conn: &mut _| {
            let mut accepted = Vec::with_capacity(keys.len());
            for key in &keys {
                accepted.extend(events::load_accepted(conn, key, max_bytes)?);
            }
            Ok(accepted)
        };
        self.readers.run(load).await
    }

    async fn load_waiting(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError> {
        let ids = ids.to_vec();
        self.readers.run(move |conn| deliveries::load_waiting(conn, &ids)).await
    }

    async fn record(&self, batch: &Batch) -> Result<(), BackendError> {
        let batch = batch.clone();
        self.writer.run(move |conn| deliveries::record(conn, &batch)).await
    }

    async fn unrouted(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Vec<(EventKey, Timestamp)>, BackendError> {
        let from = from.cloned();
        self.readers.run(move |conn| events::unrouted(conn, before, from.as_ref(), max)).await
    }

    async fn overdue(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, DeliveryId)>,
        max: usize,
    ) -> Result<Vec<(DeliveryId, Timestamp)>, BackendError> {
        self.readers.run(move |conn| deliveries::overdue(conn, before, from, max)).await
    }

    async fn forget_deliveries(
        &self,
        before: Timestamp,
        from: Option<DeliveryId>,
        max: usize,
    ) -> Result<Forgotten<DeliveryId>, BackendError> {
        self.writer.run(move |conn| retention::forget_deliveries(conn, before, from, max)).await
    }

    async fn forget_events(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Forgotten<(Timestamp, EventKey)>, BackendError> {
        let from = from.cloned();
        self.writer.run(move |conn| retention::forget_events(conn, before, from.as_ref(), max)).await
    }

    async fn forget_keyed(&self, before: Timestamp, max: usize) -> Result<u64, BackendError> {
        self.writer.run(move |conn| keyed::forget(conn, before, max)).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<&EventPlace>,
        limit: u32,
    ) -> Result<Page<EventView, EventPlace>, BackendError> {
        let (filter, after) = (filter.clone(), after.cloned());
        self.readers.run(move |conn| event_list::events(conn, &filter, after.as_ref(), limit)).await
    }

    async fn event(&self, key: &EventKey, max_bytes: usize) -> Result<Option<EventDetail>, BackendError> {
        let key = key.clone();
        self.readers.run(move |conn| event_list::event(conn, &key, max_bytes)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError> {
        let filter = filter.clone();
        self.readers.run(move |conn| lists::deliveries(conn, &filter, after, limit)).await
    }

    async fn delivery(&self, id: DeliveryId, tenant: Option<&str>) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| lists::delivery(conn, id, tenant.as_deref())).await
    }

    async fn totals(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError> {
        let tenant = tenant.map(str::to_owned);
        self.readers.run(move |conn| totals::read(conn, since, tenant.as_deref())).await
    }

    async fn endpoint_totals(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError> {
        let endpoints = endpoints.to_vec();
        self.readers.run(move |conn| totals::of_endpoints(conn, since, &endpoints)).await
    }

    /// One process counts, in one place: there is nothing to do.
    async fn put_totals_together(&self, _before: Timestamp, _max: usize) -> Result<bool, BackendError> {
        Ok(false)
    }

    async fn ping(&self) -> Result<(), BackendError> {
        self.check().await
    }
}
