//! Door 3: what applications commit by SQL is offered to the workers as soon as it is heard of.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::patience::{self, Patience};
use crate::model::clock::{self, Timestamp};
use crate::model::event::EventKey;
use crate::ports::{BackendError, Heard, Outbox};

/// Events that are looked up at once.
const PAGE: usize = 1000;
/// How far the database's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(60);

/// Where a page of events ended.
type Place = (Timestamp, EventKey);

/// Offers what is heard, until `stop`. While the queue is away nobody asks `outbox`, which then forgets what is too much.
pub(super) async fn run(intake: Arc<Intake>, outbox: Box<dyn Outbox>, stop: CancellationToken) {
    let mut patience = Patience::new();
    loop {
        let heard = tokio::select! {
            heard = outbox.next() => heard,
            () = stop.cancelled() => return,
        };
        match heard {
            Ok(heard) => {
                patience.reset();
                if offer(&intake, heard, &stop).await.is_none() {
                    return;
                }
            }
            Err(error) => {
                if !patience.after(&error, "listening for events committed by SQL", &*intake.observe, &stop).await {
                    return;
                }
            }
        }
    }
}

/// `None` when it is time to stop.
async fn offer(intake: &Intake, heard: Heard, stop: &CancellationToken) -> Option<()> {
    match heard {
        Heard::Events(keys) => {
            let now = clock::now();
            let events: Vec<_> = keys.into_iter().map(|key| (key, now)).collect();
            let offer = || intake.queue.offer(&events);
            patience::until_it_works("offering events", &*intake.observe, stop, offer).await.map(drop)
        }
        Heard::SomeMissed => {
            let mut from = None;
            loop {
                let look = || offer_page(intake, from.as_ref());
                from = patience::until_it_works("looking for events committed by SQL", &*intake.observe, stop, look).await?;
                if from.is_none() {
                    return Some(());
                }
            }
        }
    }
}

/// Where the next page starts; `None` after the last. Goes on where all of a page is on offer already, other than the sweep:
/// what was missed may be younger than what was heard.
async fn offer_page(intake: &Intake, from: Option<&Place>) -> Result<Option<Place>, BackendError> {
    let page = intake.records.unrouted(clock::after(clock::now(), AHEAD), from, PAGE).await?;
    if !page.is_empty() {
        intake.queue.offer(&page).await?;
    }
    Ok(if page.len() < PAGE { None } else { page.into_iter().next_back().map(|(key, at)| (at, key)) })
}
