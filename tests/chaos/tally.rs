//! What came, counted at the receiver.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::harness::{Received, Receiver};

/// Requests by delivery, each in the order of their arrival.
pub(super) struct Tally {
    deliveries: HashMap<String, Vec<Arc<Received>>>,
}

/// A request that had been made before: the same delivery and the same attempt.
pub(super) struct Repeat {
    pub(super) before: Arc<Received>,
    pub(super) again: Arc<Received>,
}

impl Tally {
    pub(super) fn of(receiver: &Receiver) -> Self {
        let mut deliveries: HashMap<_, Vec<_>> = HashMap::new();
        for request in receiver.requests() {
            deliveries.entry(request.delivery_id().to_owned()).or_default().push(request);
        }
        Self { deliveries }
    }

    pub(super) fn deliveries(&self) -> usize {
        self.deliveries.len()
    }

    /// How many events came to `path`.
    pub(super) fn events_at(&self, path: &str) -> usize {
        let firsts = self.deliveries.values().map(|requests| &requests[0]);
        firsts.filter(|request| request.path == path).map(|request| request.event_id()).collect::<HashSet<_>>().len()
    }

    /// The number of a delivery's latest attempt; 0 when it never came.
    pub(super) fn highest(&self, delivery: &str) -> u32 {
        self.deliveries.get(delivery).into_iter().flatten().map(|request| request.attempt()).max().unwrap_or(0)
    }

    /// Each delivery's attempts are 1, 2, 3 … up to what `wanted` says of its event and path, and first came in that order.
    #[track_caller]
    pub(super) fn assert_attempts(&self, wanted: impl Fn(&str, &str) -> u32) {
        for (delivery, requests) in &self.deliveries {
            let (event, path) = (requests[0].event_id(), &requests[0].path);
            let (mut numbers, all) = (Vec::new(), requests.iter().map(|request| request.attempt()));
            for number in all.clone() {
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
            let right = numbers.iter().copied().eq(1..=wanted(event, path));
            assert!(right, "attempts {:?} of {event} at {path}, delivery {delivery}", all.collect::<Vec<_>>());
        }
    }

    pub(super) fn repeats(&self) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        for requests in self.deliveries.values() {
            for (place, again) in requests.iter().enumerate() {
                let before = requests[..place].iter().rev().find(|before| before.attempt() == again.attempt());
                repeats.extend(before.map(|before| Repeat { before: Arc::clone(before), again: Arc::clone(again) }));
            }
        }
        repeats
    }
}
