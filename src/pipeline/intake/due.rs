//! Deliveries whose next attempt is due.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CALM, Intake};
use crate::faults;
use crate::model::clock;
use crate::model::delivery::Waiting;
use crate::pipeline::flight::{Flight, Origin, Report};
use crate::pipeline::patience::{self, Patience};
use crate::ports::Due;

/// How late a delivery may be noticed that another process scheduled for earlier than all that was known here.
const LOOK: Duration = Duration::from_millis(250);
/// How soon the queue is asked again at the earliest.
const SHORTEST: Duration = Duration::from_millis(20);

impl Intake {
    /// Claims due deliveries until it is time to stop.
    pub(in crate::pipeline) async fn due(self: Arc<Self>) {
        let (mut patience, mut calm_at) = (Patience::new(), Instant::now());
        while let Some(max) = self.room().await {
            match self.queue.claim_due(max, Instant::now() >= calm_at).await {
                Ok(due) => {
                    patience.reset();
                    let (next, full) = (due.next, due.ids.len() + due.lapsed.len() == max);
                    if self.retry(due).await.is_none() {
                        return;
                    }
                    if !full && !self.sleep(next).await {
                        return;
                    }
                }
                Err(error) => {
                    calm_at = Instant::now() + CALM;
                    if !patience.after(&error, "claiming due deliveries", &*self.observe, &self.stop).await {
                        return;
                    }
                }
            }
        }
    }

    async fn sleep(&self, next: Option<Duration>) -> bool {
        tokio::select! {
            () = tokio::time::sleep(next.unwrap_or(LOOK).clamp(SHORTEST, LOOK)) => true,
            () = self.stop.cancelled() => false,
        }
    }

    async fn retry(&self, due: Due) -> Option<()> {
        if due.ids.is_empty() && due.lapsed.is_empty() {
            return Some(());
        }
        faults::crash_point("due_claimed");
        let lapsed: HashSet<_> = due.lapsed.iter().copied().collect();
        // What runs here and could not be renewed for too long was leased to us once more, and that is all it needs.
        let mut ids = self.leases.hold_deliveries(&due.ids);
        let mut not_due = self.sending.take_left_alone(&mut ids);
        ids.extend(self.leases.hold_deliveries(&due.lapsed));
        let load = || self.records.load_waiting(&ids);
        let loaded = match ids.is_empty() {
            true => Vec::new(),
            false => patience::until_it_works("loading due deliveries", &*self.observe, &self.stop, load).await?,
        };
        let mut loaded: HashMap<_, _> = loaded.into_iter().map(|waiting| (waiting.id, waiting)).collect();
        let doubtful = |id: i64| self.catalog.active(id).is_err();
        if loaded.values().any(|waiting: &Waiting| doubtful(waiting.endpoint_id)) {
            // What ends a delivery for good must not rest on an index that lags behind.
            let refresh = || self.catalog.refresh();
            patience::until_it_works("reading the endpoints", &*self.observe, &self.stop, refresh).await?;
        }
        let (mut flights, mut reports) = (Vec::with_capacity(ids.len()), Vec::new());
        let (mut not_waiting, now) = (Vec::new(), clock::now());
        for id in ids {
            match loaded.remove(&id) {
                None => not_waiting.push(id),
                // Whoever held it recorded an attempt, and died before it was scheduled again.
                Some(waiting) if waiting.next_retry_at > now && lapsed.contains(&id) => not_due.push((id, waiting.next_retry_at)),
                Some(waiting) => match self.take_off(waiting) {
                    Ok(flight) => flights.push(flight),
                    Err(stopped) => reports.push(*stopped),
                },
            }
        }
        if !not_waiting.is_empty() || !not_due.is_empty() {
            reports.push(Report::NoAttempt { not_waiting, not_due });
        }
        self.budget.take(flights.len());
        self.sending.offer(flights).await;
        for report in reports {
            self.sending.report(report).await;
        }
        Some(())
    }

    fn take_off(&self, waiting: Waiting) -> Result<Flight, Box<Report>> {
        let Waiting { id, endpoint_id, attempt_count, event_type, event, next_retry_at: _ } = waiting;
        let reason = match (self.catalog.active(endpoint_id), event) {
            (Ok(endpoint), Some(event)) => {
                return Ok(Flight { id, endpoint, event, attempts_before: attempt_count, origin: Origin::Schedule, slot: None });
            }
            (Ok(_), None) => "its event is gone from webhook_events".to_owned(),
            (Err(reason), _) => reason,
        };
        Err(Box::new(Report::Stopped { id, endpoint_id, attempts_before: attempt_count, event_type, reason }))
    }
}
