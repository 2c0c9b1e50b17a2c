//! Asks the queue for slots, for all endpoints at once, and lets go what has its slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::rate::{LINE, Rate};
use crate::model::clock;
use crate::pipeline::flight::{Flight, Landing, Report};
use crate::pipeline::patience::Patience;
use crate::pipeline::sending::Sending;
use crate::ports::{Ask, Given, Queue, Wait};

impl Sending {
    /// Asks for slots until `stop`. While the queue is away all waits where it is.
    pub(in crate::pipeline) async fn ask_for_slots(self: Arc<Self>, queue: Arc<dyn Queue>, stop: CancellationToken) {
        let mut patience = Patience::new();
        while self.limits.something_asks(&stop).await {
            let (asks, rates) = self.asks().await;
            if asks.is_empty() {
                continue;
            }
            let asked_at = Instant::now();
            let given = tokio::select! {
                given = queue.slots(&asks) => given,
                () = stop.cancelled() => return,
            };
            match given {
                Ok(given) => {
                    patience.reset();
                    // The queue's now lies between asking and hearing the answer.
                    let now = asked_at + asked_at.elapsed() / 2;
                    self.give(&asks, &rates, &given, now).await;
                }
                Err(error) => {
                    if !patience.after(&error, "asking for slots of rate limits", &*self.observe, &stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// What is to be asked for all that has no slot, by the limits as they are now. What needs none goes on, and what cannot
    /// use one now is sent away.
    async fn asks(self: &Arc<Self>) -> (Vec<Ask>, Vec<Rate>) {
        let (mut asks, mut rates) = (Vec::new(), Vec::new());
        let (mut free, mut away) = (Vec::new(), Vec::new());
        let mut room = self.limits.room();
        let mut send_away =
            |flights: Vec<Flight>, wait: Duration, why: Wait| away.extend(flights.into_iter().map(|flight| (flight, wait, why)));
        for ((endpoint_id, newcomers), count) in self.limits.groups() {
            let Ok(endpoint) = self.catalog.active(endpoint_id) else {
                // It is stopped when it comes due, if not before.
                send_away(self.limits.take_asking(endpoint_id), Duration::ZERO, Wait::Inactive);
                continue;
            };
            let Some(limit) = endpoint.spec.rate_limit else {
                let flights = self.limits.take_asking(endpoint_id).into_iter();
                free.extend(flights.map(|flight| Flight { endpoint: Arc::clone(&endpoint), slot: None, ..flight }));
                continue;
            };
            if let Some((wait, why)) = self.lanes.left_alone(endpoint_id) {
                send_away(self.limits.take_asking(endpoint_id), wait, why);
                continue;
            }
            let rate = Rate::of(limit, self.limits.most);
            let slots = rate.slots(count);
            let ahead = if slots <= room { rate.ahead } else { Duration::ZERO };
            room = room.saturating_sub(slots);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            asks.push(Ask { endpoint_id, every: rate.every, count, ahead, line: LINE, newcomers });
            rates.push(rate);
        }
        self.go(free).await;
        self.park(away).await;
        (asks, rates)
    }

    async fn give(&self, asks: &[Ask], rates: &[Rate], given: &[Given], now: Instant) {
        for ((ask, rate), given) in asks.iter().zip(rates).zip(given) {
            let parked = self.limits.give(ask, *rate, given, now);
            self.observe.waits(Wait::RateLimit, parked.len() as u64);
            let now = clock::now();
            for (flight, wait) in parked {
                self.report(Report::Landed { flight, landing: Landing::Parked { until: clock::after(now, wait) } }).await;
            }
        }
    }

    /// Lets flights into their lanes when their slot comes, until `stop`.
    pub(in crate::pipeline) async fn release_slots(self: Arc<Self>, stop: CancellationToken) {
        while self.limits.slot_comes(&stop).await {
            let due = self.limits.due(Instant::now());
            if !due.is_empty() {
                self.go(due).await;
            }
        }
    }
}
