//! Deliveries whose next attempt is due.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Intake;
use crate::model::clock;
use crate::model::delivery::{DeliveryId, Waiting};
use crate::pipeline::flight::{Flight, Origin, Report};
use crate::pipeline::patience::{self, Patience};

/// How late a delivery may be noticed that another process scheduled for earlier than all that was known here.
const LOOK: Duration = Duration::from_millis(250);
/// How soon the queue is asked again at the earliest.
const SHORTEST: Duration = Duration::from_millis(5);

impl Intake {
    /// Claims due deliveries until it is time to stop.
    pub(in crate::pipeline) async fn due(self: Arc<Self>) {
        let mut patience = Patience::new();
        while let Some(max) = self.room().await {
            match self.queue.claim_due(max).await {
                Ok(due) => {
                    patience.reset();
                    let full = due.ids.len() == max;
                    if !due.ids.is_empty() && self.retry(due.ids).await.is_none() {
                        return;
                    }
                    if !full && !self.sleep_until(due.next).await {
                        return;
                    }
                }
                Err(error) => {
                    if !patience.after(&error, "claiming due deliveries", &*self.observe, &self.stop).await {
                        return;
                    }
                }
            }
        }
    }

    async fn sleep_until(&self, next: Option<clock::Timestamp>) -> bool {
        let until_next = next.map_or(LOOK, |next| (next - clock::now()).to_std().unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(until_next.clamp(SHORTEST, LOOK)) => true,
            () = self.stop.cancelled() => false,
        }
    }

    async fn retry(&self, ids: Vec<DeliveryId>) -> Option<()> {
        self.leases.hold_deliveries(&ids);
        let load = || self.records.load_waiting(&ids);
        let loaded = patience::until_it_works("loading due deliveries", &*self.observe, &self.stop, load).await?;
        let mut loaded: HashMap<_, _> = loaded.into_iter().map(|waiting| (waiting.id, waiting)).collect();
        let doubtful = |id: i64| self.catalog.active(id).is_err();
        if loaded.values().any(|waiting: &Waiting| doubtful(waiting.endpoint_id)) {
            // What ends a delivery for good must not rest on an index that lags behind.
            let refresh = || self.catalog.refresh();
            patience::until_it_works("reading the endpoints", &*self.observe, &self.stop, refresh).await?;
        }
        let (mut flights, mut reports, mut not_waiting) = (Vec::with_capacity(ids.len()), Vec::new(), Vec::new());
        for id in ids {
            match loaded.remove(&id).map(|waiting| self.take_off(waiting)) {
                Some(Ok(flight)) => flights.push(flight),
                Some(Err(stopped)) => reports.push(*stopped),
                None => not_waiting.push(id),
            }
        }
        if !not_waiting.is_empty() {
            reports.push(Report::NotWaiting(not_waiting));
        }
        self.budget.take(flights.len());
        self.sending.offer(flights).await;
        for report in reports {
            self.sending.report(report).await;
        }
        Some(())
    }

    fn take_off(&self, waiting: Waiting) -> Result<Flight, Box<Report>> {
        let Waiting { id, endpoint_id, attempt_count, event } = waiting;
        let reason = match self.catalog.active(endpoint_id) {
            Ok(endpoint) => return Ok(Flight { id, endpoint, event, attempts_before: attempt_count, origin: Origin::Schedule }),
            Err(reason) => reason,
        };
        let event_type = Arc::clone(&event.event_type);
        Err(Box::new(Report::Stopped { id, endpoint_id, attempts_before: attempt_count, event_type, reason }))
    }
}
