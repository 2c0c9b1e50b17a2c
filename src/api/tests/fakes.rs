//! The ports in memory.

mod checks;
mod pacing;
mod retries;
mod runs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{AttemptView, DeliveryFilter, DeliveryId, DeliveryView, Totals, Waiting};
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::event::{Event, EventKey};
use crate::model::event_view::{EventDetail, EventFilter, EventPlace, EventView};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::model::outcome::Attempt;
use crate::model::page::Page;
use crate::model::rotation::{EarlierSecret, Rotation};
use crate::model::run::Run;
use crate::model::secret::Secret;
use crate::ports::{
    Accepted, BackendError, Batch, Breakers, Catalog, CatalogError, Changes, Depth, Door, Encrypted, Forgotten, Known, Load, Observe,
    PartHealth, Phase, Pool, Readiness, Records, Wait,
};

pub(super) use checks::FakeChecks;
pub(super) use pacing::FakePacing;
pub(super) use retries::{Asked, FakeRetries};
pub(super) use runs::FakeLetters;

pub(super) fn away() -> BackendError {
    BackendError::Unavailable { backend: "postgres", address: "db.internal:5432".into(), source: "password hunter2".into() }
}

fn refused<T>() -> Result<T, BackendError> {
    Err(BackendError::Refused { backend: "postgres", source: "syntax error in secret_query".into() })
}

#[derive(Default)]
pub(super) struct FakeDoor {
    pub(super) accepted: Mutex<Vec<Event>>,
    /// Requests with a key, as they came, and what the next one is answered.
    pub(super) keyed: Mutex<Vec<KeyedRequest>>,
    pub(super) taken: Mutex<Option<Taken>>,
    pub(super) away: Mutex<bool>,
    pub(super) stuck: Mutex<bool>,
}

#[async_trait]
impl Door for FakeDoor {
    async fn accept(&self, events: Vec<Event>) -> Result<Vec<bool>, BackendError> {
        let stuck = *self.stuck.lock().expect("a lock");
        if stuck {
            std::future::pending::<()>().await;
        }
        if *self.away.lock().expect("a lock") {
            return Err(away());
        }
        let new = vec![true; events.len()];
        self.accepted.lock().expect("a lock").extend(events);
        Ok(new)
    }

    async fn accept_keyed(&self, request: KeyedRequest, events: Vec<Event>) -> Result<Taken, BackendError> {
        self.keyed.lock().expect("a lock").push(request);
        let taken = self.taken.lock().expect("a lock").take();
        if let Some(taken) = taken {
            return Ok(taken);
        }
        self.accept(events).await.map(Taken::Now)
    }
}

#[derive(Default)]
pub(super) struct FakeCatalog {
    pub(super) endpoints: Mutex<Vec<Endpoint>>,
}

impl FakeCatalog {
    fn position(&self, id: i64, tenant: Option<&str>) -> Option<usize> {
        let endpoints = self.endpoints.lock().expect("a lock");
        endpoints.iter().position(|endpoint| endpoint.id == id && tenant.is_none_or(|tenant| *endpoint.tenant == *tenant))
    }
}

#[async_trait]
impl Catalog for FakeCatalog {
    async fn changes(&self, _: i64) -> Result<Changes, BackendError> {
        refused()
    }

    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        let mut endpoints = self.endpoints.lock().expect("a lock");
        let id = i64::try_from(endpoints.len()).expect("few") + 1;
        let secret = new.secret.unwrap_or_else(|| Secret::new("whsec_bWFkZQ==".into()));
        let endpoint = Endpoint::new(id, new.tenant, new.spec, secret, clock::now());
        endpoints.push(endpoint.clone());
        Ok(endpoint)
    }

    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError> {
        let at = self.position(id, tenant).ok_or(CatalogError::NotFound)?;
        let mut endpoints = self.endpoints.lock().expect("a lock");
        endpoints[at].spec = spec;
        Ok(endpoints[at].clone())
    }

    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError> {
        let at = self.position(id, tenant).ok_or(CatalogError::NotFound)?;
        self.endpoints.lock().expect("a lock").remove(at);
        Ok(())
    }

    async fn rotate_secret(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError> {
        let at = self.position(id, tenant).ok_or(CatalogError::NotFound)?;
        let endpoint = &mut self.endpoints.lock().expect("a lock")[at];
        let new = rotation.secret.clone().unwrap_or_else(|| Secret::new("whsec_bmV3".into()));
        let secret = std::mem::replace(&mut endpoint.secret, new);
        endpoint.earlier.insert(0, EarlierSecret { secret, until: clock::after(clock::now(), rotation.overlap) });
        Ok(endpoint.clone())
    }

    async fn forget_secrets(&self, _: Timestamp) -> Result<u64, BackendError> {
        refused()
    }

    async fn encrypt_secrets(&self, _: i64, _: usize) -> Result<Encrypted, BackendError> {
        refused()
    }

    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError> {
        Ok(self.position(id, tenant).map(|at| self.endpoints.lock().expect("a lock")[at].clone()))
    }

    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError> {
        let endpoints = self.endpoints.lock().expect("a lock");
        let rows = endpoints
            .iter()
            .rev()
            .filter(|endpoint| tenant.is_none_or(|tenant| *endpoint.tenant == *tenant) && after.is_none_or(|after| endpoint.id < after));
        Ok(Page::from_rows(rows.take(limit as usize + 1).cloned().collect(), limit, |endpoint| endpoint.id))
    }
}

#[derive(Default)]
pub(super) struct FakeRecords {
    pub(super) deliveries: Mutex<Vec<(DeliveryView, Vec<AttemptView>)>>,
    pub(super) totals: Mutex<Totals>,
    /// Oldest first.
    pub(super) runs: Mutex<Vec<Run>>,
    /// What was asked for last.
    pub(super) asked: Mutex<DeliveryFilter>,
    pub(super) broken: Mutex<bool>,
}

#[async_trait]
impl Records for FakeRecords {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn accept(&self, _: &[std::sync::Arc<Event>]) -> Result<Vec<bool>, BackendError> {
        refused()
    }
    async fn accept_keyed(&self, _: &KeyedRequest, _: &[std::sync::Arc<Event>]) -> Result<Taken, BackendError> {
        refused()
    }
    async fn forget_keyed(&self, _: Timestamp, _: usize) -> Result<u64, BackendError> {
        refused()
    }
    async fn known(&self, _: &[EventKey]) -> Result<Vec<Known>, BackendError> {
        refused()
    }
    async fn load_accepted(&self, _: &[EventKey], _: usize) -> Result<Vec<Accepted>, BackendError> {
        refused()
    }
    async fn load_waiting(&self, _: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError> {
        refused()
    }
    async fn record(&self, _: &Batch) -> Result<(), BackendError> {
        refused()
    }
    async fn unrouted(
        &self,
        _: Timestamp,
        _: Option<&(Timestamp, EventKey)>,
        _: usize,
    ) -> Result<Vec<(EventKey, Timestamp)>, BackendError> {
        refused()
    }
    async fn overdue(
        &self,
        _: Timestamp,
        _: Option<(Timestamp, DeliveryId)>,
        _: usize,
    ) -> Result<Vec<(DeliveryId, Timestamp)>, BackendError> {
        refused()
    }
    async fn forget_deliveries(&self, _: Timestamp, _: Option<DeliveryId>, _: usize) -> Result<Forgotten<DeliveryId>, BackendError> {
        refused()
    }
    async fn forget_events(
        &self,
        _: Timestamp,
        _: Option<&(Timestamp, EventKey)>,
        _: usize,
    ) -> Result<Forgotten<(Timestamp, EventKey)>, BackendError> {
        refused()
    }

    async fn events(&self, _: &EventFilter, _: Option<&EventPlace>, _: u32) -> Result<Page<EventView, EventPlace>, BackendError> {
        refused()
    }

    async fn event(&self, _: &EventKey, _: usize) -> Result<Option<EventDetail>, BackendError> {
        Ok(None)
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Page<DeliveryView, DeliveryId>, BackendError> {
        self.asked.lock().expect("a lock").clone_from(filter);
        let deliveries = self.deliveries.lock().expect("a lock");
        let rows = deliveries.iter().map(|(view, _)| view).filter(|view| after.is_none_or(|after| view.id < after));
        Ok(Page::from_rows(rows.take(limit as usize + 1).cloned().collect(), limit, |view| view.id))
    }

    async fn delivery(&self, id: DeliveryId, tenant: Option<&str>) -> Result<Option<(DeliveryView, Vec<AttemptView>)>, BackendError> {
        let deliveries = self.deliveries.lock().expect("a lock");
        Ok(deliveries.iter().find(|(view, _)| view.id == id && tenant.is_none_or(|tenant| view.tenant == tenant)).cloned())
    }

    async fn totals(&self, _: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError> {
        if *self.broken.lock().expect("a lock") {
            return refused();
        }
        self.asked.lock().expect("a lock").tenant = tenant.map(str::to_owned);
        Ok(*self.totals.lock().expect("a lock"))
    }

    async fn endpoint_totals(&self, _: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError> {
        Ok(vec![*self.totals.lock().expect("a lock"); endpoints.len()])
    }

    async fn put_totals_together(&self, _: Timestamp, _: usize) -> Result<bool, BackendError> {
        refused()
    }

    async fn ping(&self) -> Result<(), BackendError> {
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct FakeReadiness {
    pub(super) redis_trouble: Mutex<Option<String>>,
}

#[async_trait]
impl Readiness for FakeReadiness {
    async fn check(&self) -> Vec<PartHealth> {
        let trouble = self.redis_trouble.lock().expect("a lock").clone();
        vec![PartHealth { part: "postgres", trouble: None }, PartHealth { part: "redis", trouble }]
    }
}

pub(super) struct FakeObserve;

impl Observe for FakeObserve {
    fn triggered(&self, _: &str, _: u64) {}
    fn phase(&self, _: Phase, _: bool) {}
    fn capacity(&self, _: u64, _: u64) {}
    fn attempted(&self, _: &Endpoint, _: &Event, _: u32, _: &Attempt) {}
    fn settled(&self, _: &str, _: bool) {}
    fn dead_letter(&self, _: &'static str) {}
    fn depth(&self, _: Depth) {}
    fn endpoints_active(&self, _: u64) {}
    fn oldest(&self, _: Duration, _: Duration) {}
    fn oldest_unrouted(&self, _: Duration) {}
    fn breakers(&self, _: Breakers, _: &[Arc<Endpoint>]) {}
    fn waits(&self, _: Wait, _: u64) {}
    fn load(&self, _: Load) {}
    fn called(&self, _: &'static str, _: &'static str, _: Duration, _: bool) {}
    fn parts_away(&self, _: u64) {}
    fn pool(&self, _: Pool) {}
    fn committed(&self, _: u64, _: Duration) {}
    fn taken_over(&self, _: u64) {}
    fn swept(&self, _: u64, _: u64) {}
    fn forgot(&self, _: u64, _: u64) {}
    fn spans_lost(&self, _: u64) {}
    fn trouble(&self, _: &'static str) {}
    fn render(&self) -> String {
        "webhook_queue_size 0\n".into()
    }
}
