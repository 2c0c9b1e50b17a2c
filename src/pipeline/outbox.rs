//! Door 3: what applications commit by SQL is offered to the workers as soon as it is heard of.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::patience::{self, Patience};
use super::sweep::pages::{Pace, Pages};
use crate::model::clock;
use crate::ports::{BackendError, Heard, Outbox};

/// How far the database's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(60);

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
        // What was missed may be younger than what was heard, so all of it is looked at.
        Heard::SomeMissed => {
            let look = || look(intake, stop);
            patience::until_it_works("looking for events committed by SQL", &*intake.observe, stop, look).await
        }
    }
}

async fn look(intake: &Intake, stop: &CancellationToken) -> Result<(), BackendError> {
    Pages::default().look_through_events(intake, clock::after(clock::now(), AHEAD), Pace::Full, stop).await.map(drop)
}
