//! Shows what waits. In every process: when all workers are down, the API's is the only one left to see it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use crate::model::clock::{self, Timestamp};
use crate::ports::{BackendError, Observe, Queue, Records};

const LOOK: Duration = Duration::from_secs(1);
/// How often the records are asked. Each process does, and however many there are, that should cost nothing.
const LOOK_AT_RECORDS: Duration = Duration::from_secs(5);

/// Shows how much waits in the queue, and for how long, once a second, until `stop`.
pub async fn watch_queue(queue: Arc<dyn Queue>, observe: Arc<dyn Observe>, stop: CancellationToken) {
    every(LOOK, "looking how much waits", &*observe, &stop, || async {
        observe.depth(queue.depth().await?);
        let oldest = queue.oldest().await?;
        let now = clock::now();
        observe.oldest(since(oldest.event, now), since(oldest.due, now));
        Ok(())
    })
    .await;
}

/// Shows how old the oldest event is that is accepted and not routed, until `stop`. That is more than waits in the queue: what is being sent,
/// and what the queue lost.
pub async fn watch_records(records: Arc<dyn Records>, observe: Arc<dyn Observe>, stop: CancellationToken) {
    every(LOOK_AT_RECORDS, "looking for the oldest event", &*observe, &stop, || async {
        let oldest = records.unrouted(Timestamp::MAX_UTC, None, 1).await?;
        observe.oldest_unrouted(since(oldest.first().map(|(_, accepted_at)| *accepted_at), clock::now()));
        Ok(())
    })
    .await;
}

/// Shows how the records' connections are, where they have a pool of them, until `stop`. Asks nobody, so it sees the pool that nobody gets a
/// connection of.
pub async fn watch_pool(records: Arc<dyn Records>, observe: Arc<dyn Observe>, stop: CancellationToken) {
    while let Some(pool) = records.pool() {
        observe.pool(pool);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Shows how many parts of the queue are away, until `stop`. Asks nobody, so it goes on when the queue as a whole is away.
pub async fn watch_parts(queue: Arc<dyn Queue>, observe: Arc<dyn Observe>, stop: CancellationToken) {
    loop {
        observe.parts_away(queue.parts_away());
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whoever's clock is ahead, nothing is younger than now.
fn since(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.and_then(|at| (now - at).to_std().ok()).unwrap_or_default()
}

async fn every<F>(interval: Duration, what: &str, observe: &dyn Observe, stop: &CancellationToken, look: impl Fn() -> F)
where
    F: Future<Output = Result<(), BackendError>>,
{
    let mut patience = Patience::new();
    loop {
        match look().await {
            Ok(()) => {
                patience.reset();
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => {
                if !patience.after(&error, what, observe, stop).await {
                    return;
                }
            }
        }
    }
}
