//! Door 2: events of many requests become durable in one shared commit, and are then offered to the workers.

mod keyed;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::faults;
use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventKey};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::ports::{BackendError, Door, Observe, Queue, Records};

/// Requests that may wait for a commit. More of them wait in the API, where their number is bounded too.
const WAITING_REQUESTS: usize = 1024;
/// Events that one commit takes at most. A request's own events always go together.
const COMMIT_EVENTS: usize = 2000;
/// Requests with a key whose events wait to be offered.
const OFFERS: usize = 1024;

struct Request {
    events: Vec<Arc<Event>>,
    answer: oneshot::Sender<Result<Vec<bool>, Shared>>,
}

/// One error for all requests that shared a commit.
type Shared = Arc<BackendError>;

/// A [`Door`] that groups.
pub struct GroupedDoor {
    requests: mpsc::Sender<Request>,
    keyed: mpsc::Sender<keyed::Keyed>,
}

impl GroupedDoor {
    /// Makes the door and the loop that stands behind it. The loop ends when the door is dropped.
    pub fn new(records: Arc<dyn Records>, queue: Arc<dyn Queue>, observe: Arc<dyn Observe>) -> (Self, impl Future<Output = ()> + Send) {
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let (keyed, keyed_waiting) = mpsc::channel(WAITING_REQUESTS);
        let taking_keyed = keyed::serve(keyed_waiting, Arc::clone(&records), Arc::clone(&queue), Arc::clone(&observe));
        let grouping = serve(waiting, records, queue, observe);
        (Self { requests, keyed }, async {
            tokio::join!(grouping, taking_keyed);
        })
    }
}

fn closed() -> BackendError {
    BackendError::Unavailable { backend: "door", address: "this process".into(), source: "it is shutting down".into() }
}

#[async_trait]
impl Door for GroupedDoor {
    async fn accept(&self, events: Vec<Event>) -> Result<Vec<bool>, BackendError> {
        let (answer, answered) = oneshot::channel();
        let events = events.into_iter().map(Arc::new).collect();
        self.requests.send(Request { events, answer }).await.map_err(|_closed| closed())?;
        answered.await.map_err(|_closed| closed())?.map_err(|error| split(&error))
    }

    async fn accept_keyed(&self, request: KeyedRequest, events: Vec<Event>) -> Result<Taken, BackendError> {
        let (answer, answered) = oneshot::channel();
        let events = events.into_iter().map(Arc::new).collect();
        self.keyed.send(keyed::Keyed { request, events, answer }).await.map_err(|_closed| closed())?;
        answered.await.map_err(|_closed| closed())?
    }
}

/// Several requests get the same error, and each needs its own.
fn split(error: &Shared) -> BackendError {
    let source = error.to_string().into();
    match &**error {
        BackendError::Unavailable { backend, address, .. } => BackendError::Unavailable { backend, address: address.clone(), source },
        BackendError::Refused { backend, .. } => BackendError::Refused { backend, source },
    }
}

async fn serve(mut waiting: mpsc::Receiver<Request>, records: Arc<dyn Records>, queue: Arc<dyn Queue>, observe: Arc<dyn Observe>) {
    let mut held = Vec::new();
    while waiting.recv_many(&mut held, WAITING_REQUESTS).await > 0 {
        while !held.is_empty() {
            let group = next_group(&mut held);
            let events: Vec<_> = group.iter().flat_map(|request| request.events.iter().cloned()).collect();
            match records.accept(&events).await {
                Ok(new) => {
                    let offered: Vec<(EventKey, Timestamp)> =
                        events.iter().zip(&new).filter(|(_, new)| **new).map(|(event, _)| (event.key.clone(), event.accepted_at)).collect();
                    faults::crash_point("accepted");
                    answer(group, &new);
                    faults::crash_point("answered");
                    offer(&*queue, &offered, &*observe).await;
                }
                Err(error) => refuse(group, error, &*observe),
            }
        }
    }
}

fn next_group(held: &mut Vec<Request>) -> Vec<Request> {
    let mut events = 0;
    let fits = held.iter().take_while(|request| {
        events += request.events.len();
        events <= COMMIT_EVENTS
    });
    let requests = fits.count().max(1);
    held.drain(..requests).collect()
}

fn answer(group: Vec<Request>, new: &[bool]) {
    let mut rest = new;
    for request in group {
        let (own, others) = rest.split_at(request.events.len().min(rest.len()));
        rest = others;
        // A client that went away has its events accepted all the same.
        let _ = request.answer.send(Ok(own.to_vec()));
    }
}

fn refuse(group: Vec<Request>, error: BackendError, observe: &dyn Observe) {
    let (BackendError::Unavailable { backend, .. } | BackendError::Refused { backend, .. }) = &error;
    observe.trouble(backend);
    let error = Arc::new(error);
    for request in group {
        let _ = request.answer.send(Err(Arc::clone(&error)));
    }
}

/// The events are durable already. Where the offer fails, the sweep repeats it.
async fn offer(queue: &dyn Queue, events: &[(EventKey, Timestamp)], observe: &dyn Observe) {
    if events.is_empty() {
        return;
    }
    if let Err(error) = queue.offer(events).await {
        let (BackendError::Unavailable { backend, .. } | BackendError::Refused { backend, .. }) = &error;
        observe.trouble(backend);
        tracing::warn!(%error, events = events.len(), "accepted events could not be offered to the workers: the sweep will do it");
    }
}
