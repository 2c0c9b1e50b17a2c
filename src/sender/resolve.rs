//! From names to addresses that requests may reach.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::guard::{Blocked, Guard};

/// How long an answer is good for. Short, since nobody says how long it may be kept.
const FRESH: Duration = Duration::from_secs(2);
/// How many names are looked up at once. Each takes one of the 512 threads that the runtime has for blocking work.
const LOOKUPS: usize = 256;
/// From how many names on those that are not fresh are forgotten.
const NAMES: usize = 1024;

/// Why a name gave no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{name} does not resolve: {source}")]
    Lookup {
        name: String,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("{name} has no address that may be reached: {source}")]
    Blocked {
        name: String,
        #[source]
        source: Blocked,
    },
}

/// Asks for a name's addresses. Blocks.
type Ask = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
type Answer = Result<Arc<[IpAddr]>, Arc<io::Error>>;

/// One lookup, shared by all who wait for the same name. It goes on when they gave up: the system's
/// resolver cannot be interrupted, and a second one would only hold another thread.
#[derive(Clone)]
struct Lookup {
    answer: Shared<BoxFuture<'static, Answer>>,
    /// When the answer came, if it is one that can be used again.
    answered: Arc<OnceLock<Option<Instant>>>,
}

impl Lookup {
    fn is_useful(&self) -> bool {
        self.answered.get().is_none_or(|at| at.is_some_and(|at| at.elapsed() < FRESH))
    }
}

/// Answers only addresses that the guard lets through. Checking here, and not before, makes the address that is
/// checked the one that is connected to, whatever the name's next answer is.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    guard: Guard,
    ask: Arc<Ask>,
    lookups: Arc<Mutex<HashMap<String, Lookup>>>,
    room: Arc<Semaphore>,
}

impl GuardedResolver {
    /// Over the system's resolver.
    pub(super) fn new(guard: Guard) -> Self {
        Self::asking(guard, |name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    fn asking(guard: Guard, ask: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { guard, ask: Arc::new(ask), lookups: Arc::default(), room: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// All addresses of a name, those that must not be reached included.
    pub(super) async fn all(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let found = self.lookup(name).await.map_err(|source| ResolveError::Lookup { name: name.to_owned(), source })?;
        Ok(found.to_vec())
    }

    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.all(name).await?;
        let (mut allowed, mut blocked) = (Vec::new(), None);
        for address in found.iter() {
            match self.guard.check(*address) {
                Ok(()) => allowed.push(SocketAddr::new(*address, 0)),
                Err(reason) => blocked = Some(reason),
            }
        }
        match blocked {
            _ if !allowed.is_empty() => Ok(allowed),
            Some(source) => Err(ResolveError::Blocked { name: name.to_owned(), source }),
            None => {
                let source = Arc::new(io::Error::new(io::ErrorKind::NotFound, "no address"));
                Err(ResolveError::Lookup { name: name.to_owned(), source })
            }
        }
    }

    async fn lookup(&self, name: &str) -> Answer {
        if let Some(running) = self.running(name) {
            return running.answer.await;
        }
        // Closed never, so this only waits.
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|closed| Arc::new(io::Error::other(closed)))?;
        let started = {
            let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
            match lookups.get(name).filter(|lookup| lookup.is_useful()) {
                Some(running) => running.clone(),
                None => {
                    if lookups.len() >= NAMES {
                        lookups.retain(|_, lookup| lookup.is_useful());
                    }
                    let lookup = self.start(name.to_owned(), room);
                    lookups.insert(name.to_owned(), lookup.clone());
                    lookup
                }
            }
        };
        started.answer.await
    }

    fn running(&self, name: &str) -> Option<Lookup> {
        let lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.get(name).filter(|lookup| lookup.is_useful()).cloned()
    }

    fn start(&self, name: String, room: tokio::sync::OwnedSemaphorePermit) -> Lookup {
        let answered = Arc::new(OnceLock::new());
        let (ask, noted) = (Arc::clone(&self.ask), Arc::clone(&answered));
        let asking = tokio::task::spawn_blocking(move || {
            let found = ask(&name);
            let _ = noted.set(found.is_ok().then(Instant::now));
            drop(room);
            found
        });
        let answer = async move {
            match asking.await {
                Ok(found) => found.map(Arc::from).map_err(Arc::new),
                Err(ended) => Err(Arc::new(io::Error::other(ended))),
            }
        };
        Lookup { answer: answer.boxed().shared(), answered }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.addresses(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests;
