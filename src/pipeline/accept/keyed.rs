//! Requests with an `Idempotency-Key`: each has a commit of its own, since what is remembered of it decides about its events.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};

use super::{OFFERS, offer};
use crate::faults;
use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventKey};
use crate::model::keyed::{KeyedRequest, Taken};
use crate::ports::{BackendError, Observe, Queue, Records};

/// Requests that are written at once: those who read need connections too.
const AT_ONCE: usize = 4;

pub(super) struct Keyed {
    pub(super) request: KeyedRequest,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) answer: oneshot::Sender<Result<Taken, BackendError>>,
}

type Offer = Vec<(EventKey, Timestamp)>;

/// Takes in what comes. Whoever waits for an answer may go away: what was begun is finished.
pub(super) async fn serve(mut waiting: mpsc::Receiver<Keyed>, records: Arc<dyn Records>, queue: Arc<dyn Queue>, observe: Arc<dyn Observe>) {
    let (offers, to_offer) = mpsc::channel(OFFERS);
    let taking = async {
        // It goes with the last request, so that offering ends too.
        let offers = offers;
        let waiting = stream::poll_fn(|context| waiting.poll_recv(context));
        waiting.for_each_concurrent(AT_ONCE, |keyed| take(keyed, &*records, &offers, &*observe)).await;
    };
    tokio::join!(taking, offer_all(to_offer, &*queue, &*observe));
}

async fn take(keyed: Keyed, records: &dyn Records, offers: &mpsc::Sender<Offer>, observe: &dyn Observe) {
    let Keyed { request, events, answer } = keyed;
    let taken = records.accept_keyed(&request, &events).await;
    let mut new = Vec::new();
    match &taken {
        Ok(Taken::Now(flags)) => {
            let those = events.iter().zip(flags).filter(|(_, new)| **new);
            new.extend(those.map(|(event, _)| (event.key.clone(), event.accepted_at)));
            faults::crash_point("accepted");
        }
        Ok(_) => {}
        Err(BackendError::Unavailable { backend, .. } | BackendError::Refused { backend, .. }) => observe.trouble(backend),
    }
    // A client that went away has its events accepted all the same.
    let _ = answer.send(taken);
    if !new.is_empty() {
        faults::crash_point("answered");
        // The sweep offers what finds no room.
        let _ = offers.try_send(new);
    }
}

/// Apart from taking in, so that a queue that is away holds up no answer.
async fn offer_all(mut waiting: mpsc::Receiver<Offer>, queue: &dyn Queue, observe: &dyn Observe) {
    let mut held = Vec::new();
    while waiting.recv_many(&mut held, OFFERS).await > 0 {
        let events: Vec<_> = held.drain(..).flatten().collect();
        offer(queue, &events, observe).await;
    }
}
