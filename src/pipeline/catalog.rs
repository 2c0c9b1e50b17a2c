//! The endpoints as this process knows them: an index in memory, kept up to date.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::matching::Index;
use super::patience::Patience;
use crate::model::clock::Timestamp;
use crate::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use crate::model::page::Page;
use crate::model::problem::Problem;
use crate::model::rotation::Rotation;
use crate::ports::{BackendError, Catalog, CatalogError, Changes, Encrypted, Observe};
use crate::sender::guard::Guard;

/// How often changes made by other processes are looked for; the contract gives one second.
const REFRESH: Duration = Duration::from_millis(300);

/// A [`Catalog`] whose changes are in force in this process before they are answered.
pub struct LiveCatalog {
    backend: Arc<dyn Catalog>,
    guard: Guard,
    index: RwLock<Index>,
    /// The revision that the index shows. Held while changes are fetched, so that older ones cannot overwrite newer ones.
    revision: Mutex<i64>,
    /// Endpoints that became inactive, until somebody asks. Each is here once, however often it changes.
    inactive: std::sync::Mutex<HashSet<i64>>,
    some_inactive: Notify,
    observe: Arc<dyn Observe>,
}

impl LiveCatalog {
    #[must_use]
    pub fn new(backend: Arc<dyn Catalog>, guard: Guard, observe: Arc<dyn Observe>) -> Arc<Self> {
        Arc::new(Self {
            backend,
            guard,
            index: RwLock::default(),
            revision: Mutex::new(0),
            inactive: std::sync::Mutex::default(),
            some_inactive: Notify::new(),
            observe,
        })
    }

    /// Fetches what changed.
    ///
    /// # Errors
    /// When the backend is away.
    pub async fn refresh(&self) -> Result<(), BackendError> {
        let mut revision = self.revision.lock().await;
        let changes = self.backend.changes(*revision).await?;
        if changes.revision == *revision {
            return Ok(());
        }
        let mut inactive = changes.removed.clone();
        let active = {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            for id in changes.removed {
                index.remove(id);
            }
            for endpoint in changes.changed {
                if !endpoint.spec.is_active {
                    inactive.push(endpoint.id);
                }
                index.put(endpoint);
            }
            index.active()
        };
        // The first time everything is new, and nothing became anything.
        if *revision != 0 && !inactive.is_empty() {
            self.inactive.lock().unwrap_or_else(PoisonError::into_inner).extend(inactive);
            self.some_inactive.notify_one();
        }
        *revision = changes.revision;
        self.observe.endpoints_active(active);
        Ok(())
    }

    /// Waits for endpoints that are disabled or removed, and answers them, each time all that came since the last time.
    pub(super) async fn next_inactive(&self) -> Vec<i64> {
        loop {
            let taken = std::mem::take(&mut *self.inactive.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken.into_iter().collect();
            }
            self.some_inactive.notified().await;
        }
    }

    /// The endpoint, or why nothing is sent to it.
    pub(super) fn active(&self, id: i64) -> Result<Arc<Endpoint>, String> {
        match self.read(|index| index.get(id).cloned()) {
            Some(endpoint) if endpoint.spec.is_active => Ok(endpoint),
            Some(endpoint) => Err(format!("the endpoint is disabled: {}", endpoint.disabled_reason.as_deref().unwrap_or("by its owner"))),
            None => Err("the endpoint was removed".to_owned()),
        }
    }

    /// Follows changes until `stop`.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut patience = Patience::new();
        loop {
            match self.refresh().await {
                Ok(()) => {
                    patience.reset();
                    tokio::select! {
                        () = tokio::time::sleep(REFRESH) => {}
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) => {
                    if !patience.after(&error, "following changes of endpoints", &*self.observe, &stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// Calls `read` with the index. Not for long: changes wait meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, spec: &EndpointSpec) -> Result<(), CatalogError> {
        self.guard
            .check_url(&spec.url)
            .map_err(|reason| CatalogError::Invalid(vec![Problem::new("url", format!("cannot be reached: {reason}"))]))
    }

    /// What the answer says must be in force. A backend that goes away right after it made the change does not undo it: the refresh follows.
    async fn refreshed<T>(&self, answer: T) -> T {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a change of an endpoint is made, and will be in force here as soon as it can be read");
        }
        answer
    }
}

#[async_trait]
impl Catalog for LiveCatalog {
    async fn changes(&self, revision: i64) -> Result<Changes, BackendError> {
        self.backend.changes(revision).await
    }

    async fn create(&self, new: NewEndpoint) -> Result<Endpoint, CatalogError> {
        self.check(&new.spec)?;
        let endpoint = self.backend.create(new).await?;
        Ok(self.refreshed(endpoint).await)
    }

    async fn update(&self, id: i64, tenant: Option<&str>, spec: EndpointSpec) -> Result<Endpoint, CatalogError> {
        // One that may not be reached any more can still be switched off.
        if spec.is_active {
            self.check(&spec)?;
        }
        let endpoint = self.backend.update(id, tenant, spec).await?;
        Ok(self.refreshed(endpoint).await)
    }

    async fn remove(&self, id: i64, tenant: Option<&str>) -> Result<(), CatalogError> {
        self.backend.remove(id, tenant).await?;
        self.refreshed(()).await;
        Ok(())
    }

    async fn rotate_secret(&self, id: i64, tenant: Option<&str>, rotation: &Rotation) -> Result<Endpoint, CatalogError> {
        let endpoint = self.backend.rotate_secret(id, tenant, rotation).await?;
        Ok(self.refreshed(endpoint).await)
    }

    async fn forget_secrets(&self, now: Timestamp) -> Result<u64, BackendError> {
        self.backend.forget_secrets(now).await
    }

    async fn encrypt_secrets(&self, after: i64, max: usize) -> Result<Encrypted, BackendError> {
        self.backend.encrypt_secrets(after, max).await
    }

    async fn get(&self, id: i64, tenant: Option<&str>) -> Result<Option<Endpoint>, BackendError> {
        self.backend.get(id, tenant).await
    }

    async fn list(&self, tenant: Option<&str>, after: Option<i64>, limit: u32) -> Result<Page<Endpoint, i64>, BackendError> {
        self.backend.list(tenant, after, limit).await
    }
}
