//! What waits for an endpoint that is disabled or removed stops at once, whoever did that and by whatever means.
//!
//! What waits in this process' lane is taken out, and what waits in the records is stopped in batches. A request that runs
//! is finished, and its outcome counts. A delivery that was matched in the very moment may be sent once more, and one that
//! slips through between two commits is stopped when it comes due.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::intake::Intake;
use super::patience;
use crate::model::delivery::DeliveryId;
use crate::ports::Settlement;

/// Deliveries that one commit stops, and endpoints that one call names, at most.
const BATCH: usize = 1000;
/// After this time an endpoint is looked at once more, for what was on its way into its lane or the records the first time.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until it is time to stop. Starts with endpoints that became inactive while no worker ran.
pub(super) async fn run(intake: Arc<Intake>) {
    if look_at_all(&intake).await.is_none() {
        return;
    }
    let mut again: VecDeque<(Instant, Vec<i64>)> = VecDeque::new();
    loop {
        let again_at = again.front().map_or_else(Instant::now, |(at, _)| *at);
        let done = tokio::select! {
            ids = intake.catalog.next_inactive() => {
                let done = look_at(&intake, &ids).await;
                again.push_back((Instant::now() + AGAIN, ids));
                done
            }
            () = sleep_until(again_at), if !again.is_empty() => {
                let (_, ids) = again.pop_front().unwrap_or((again_at, Vec::new()));
                look_at(&intake, &ids).await
            }
            () = intake.stop.cancelled() => return,
        };
        if done.is_none() {
            return;
        }
    }
}

/// Every endpoint that something waits for. `None` when it is time to stop.
async fn look_at_all(intake: &Intake) -> Option<()> {
    let mut from = None;
    loop {
        let page = || intake.records.waited_for(from, BATCH);
        let endpoints = patience::until_it_works("looking for what waits", &*intake.observe, &intake.stop, page).await?;
        look_at(intake, &endpoints).await?;
        if intake.stop.is_cancelled() {
            return None;
        }
        if endpoints.len() < BATCH {
            return Some(());
        }
        from = endpoints.last().copied();
    }
}

/// Stops what waits for those of these endpoints that are inactive. `None` when it is time to stop.
async fn look_at(intake: &Intake, endpoints: &[i64]) -> Option<()> {
    // What ends a delivery for good must not rest on an index that lags behind.
    let refresh = || intake.catalog.refresh();
    patience::until_it_works("reading the endpoints", &*intake.observe, &intake.stop, refresh).await?;
    let reason = |id: &i64| intake.catalog.active(*id).err().map(|reason| (*id, reason));
    let inactive: Vec<_> = endpoints.iter().filter_map(reason).collect();
    let mut taken = HashSet::new();
    for (id, reason) in &inactive {
        taken.extend(intake.sending.stop(*id, reason).await);
    }
    for some in inactive.chunks(BATCH) {
        stop_waiting(intake, some, &taken).await?;
    }
    Some(())
}

/// `taken` are deliveries that this process holds, and does nothing with any more.
async fn stop_waiting(intake: &Intake, endpoints: &[(i64, String)], taken: &HashSet<DeliveryId>) -> Option<()> {
    let mut count = 0;
    loop {
        // What else it holds is on its way to an outcome, and ends with that.
        let (_, held) = intake.leases.held();
        let except: Vec<_> = held.into_iter().filter(|id| !taken.contains(id)).collect();
        let stop = || intake.records.stop_waiting(endpoints, &except, BATCH);
        let stopped = patience::until_it_works("stopping what waits", &*intake.observe, &intake.stop, stop).await?;
        for delivery in &stopped {
            intake.observe.settled(&delivery.event_type, false);
        }
        count += stopped.len();
        let more = stopped.len() == BATCH;
        let settlement = Settlement { unscheduled: stopped.into_iter().map(|delivery| delivery.id).collect(), ..Settlement::default() };
        if !settlement.is_empty() {
            let settle = || intake.queue.settle(&settlement);
            patience::until_it_works("settling what was stopped", &*intake.observe, &intake.stop, settle).await?;
        }
        if intake.stop.is_cancelled() {
            return None;
        }
        if !more {
            break;
        }
    }
    if count > 0 {
        tracing::info!(deliveries = count, endpoints = endpoints.len(), "deliveries of inactive endpoints were stopped");
    }
    Some(())
}
