//! What was shown, so that nothing is shown twice; bounded, however long one looks.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use crate::model::clock::{self, Timestamp};

/// How many are remembered; after that the older half is forgotten, and not looked for any more.
const MAX_KNOWN: usize = 50_000;
/// How many that wait are followed to their end.
const MAX_WAITING: usize = 1_000;
/// A delivery that waits is looked at when its attempt was due so long ago.
const AFTER: Duration = Duration::from_secs(1);
/// And not more often than this.
const EVERY: Duration = Duration::from_secs(5);

/// What is asked of an event or a delivery.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Facts {
    id: String,
    tenant: String,
    pub(super) created_at: Timestamp,
    /// This and the rest: of deliveries alone.
    pub(super) status: Option<String>,
    attempt_count: Option<u64>,
    last_attempt_at: Option<Timestamp>,
    next_retry_at: Option<Timestamp>,
    event_id: Option<String>,
    endpoint_id: Option<i64>,
}

impl Facts {
    fn key(&self) -> String {
        format!("{}/{}", self.tenant, self.id)
    }

    /// When it came or ended, and its id.
    pub(super) fn place(&self) -> (Timestamp, &str) {
        let at = self.end().and(self.last_attempt_at).unwrap_or(self.created_at);
        (at, &self.id)
    }

    fn waits(&self) -> bool {
        matches!(self.status.as_deref(), Some("pending" | "retrying"))
    }

    /// How it ended: a delivery that is put back ends another time.
    fn end(&self) -> Option<End> {
        let status = self.status.clone().filter(|_| !self.waits())?;
        Some((status, self.attempt_count.unwrap_or_default()))
    }
}

/// A status, and after how many attempts.
type End = (String, u64);

struct Known {
    at: Timestamp,
    /// As it was shown.
    end: Option<End>,
}

/// A delivery that will end.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    key: String,
    pub(super) event_id: String,
    pub(super) endpoint_id: i64,
    pub(super) tenant: String,
    look_at: Timestamp,
}

pub(super) struct Seen {
    known: HashMap<String, Known>,
    waiting: HashMap<String, Waits>,
    /// What is older is not new, whether it is known or not.
    floor: Timestamp,
}

impl Default for Seen {
    fn default() -> Self {
        Self { known: HashMap::new(), waiting: HashMap::new(), floor: Timestamp::UNIX_EPOCH }
    }
}

impl Seen {
    pub(super) fn begin(&mut self, floor: Timestamp) {
        self.floor = floor;
    }

    pub(super) fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Whether it would be shown.
    pub(super) fn is_new(&self, facts: &Facts) -> bool {
        let key = facts.key();
        match self.known.get(&key) {
            Some(known) => facts.end().is_some_and(|end| known.end.as_ref() != Some(&end)),
            None if self.waiting.contains_key(&key) => !facts.waits(),
            None => facts.created_at >= self.floor,
        }
    }

    /// Remembers it, and answers whether it is to be shown.
    pub(super) fn note(&mut self, facts: &Facts, now: Timestamp) -> bool {
        let (new, key) = (self.is_new(facts), facts.key());
        if !facts.waits() {
            self.waiting.remove(&key);
        } else if self.waiting.contains_key(&key) || self.waiting.len() < MAX_WAITING {
            self.wait(facts, now);
        }
        if new || self.known.contains_key(&key) {
            self.known.insert(key, Known { at: facts.created_at, end: facts.end() });
        }
        new
    }

    fn wait(&mut self, facts: &Facts, now: Timestamp) {
        let (Some(event_id), Some(endpoint_id)) = (facts.event_id.clone(), facts.endpoint_id) else { return };
        let due = facts.next_retry_at.map_or(now, |due| clock::after(due, AFTER));
        let (key, tenant, look_at) = (facts.key(), facts.tenant.clone(), due.max(clock::after(now, EVERY)));
        self.waiting.insert(key.clone(), Waits { key, event_id, endpoint_id, tenant, look_at });
    }

    /// Up to `max` of those that should have ended by now, longest due first.
    pub(super) fn due(&self, now: Timestamp, max: usize) -> Vec<Waits> {
        let mut due: Vec<_> = self.waiting.values().filter(|waits| waits.look_at <= now).collect();
        due.sort_by_key(|waits| waits.look_at);
        due.into_iter().take(max).cloned().collect()
    }

    /// It is not there any more.
    pub(super) fn gone(&mut self, waits: &Waits) {
        self.waiting.remove(&waits.key);
    }

    /// Forgets the older half of what is too much. One that waits is followed all the same.
    pub(super) fn forget(&mut self) {
        if self.known.len() <= MAX_KNOWN {
            return;
        }
        let mut times: Vec<_> = self.known.values().map(|known| known.at).collect();
        let half = times.len() / 2;
        let (_, floor, _) = times.select_nth_unstable(half);
        self.floor = self.floor.max(*floor);
        let floor = self.floor;
        self.known.retain(|_, known| known.at >= floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> Timestamp {
        clock::from_unix_seconds(1_763_757_000.0 + f64::from(second))
    }

    fn event(id: &str, second: u32) -> Facts {
        Facts {
            id: id.into(),
            tenant: "default".into(),
            created_at: at(second),
            status: None,
            attempt_count: None,
            last_attempt_at: None,
            next_retry_at: None,
            event_id: None,
            endpoint_id: None,
        }
    }

    fn delivery(id: &str, second: u32, status: &str, attempts: u64) -> Facts {
        let waits = matches!(status, "pending" | "retrying");
        Facts {
            status: Some(status.into()),
            attempt_count: Some(attempts),
            next_retry_at: waits.then(|| at(second + 60)),
            event_id: Some("e".into()),
            endpoint_id: Some(7),
            ..event(id, second)
        }
    }

    #[test]
    fn an_event_is_shown_once_even_when_it_becomes_visible_late() {
        let mut seen = Seen::default();
        seen.begin(at(10));
        assert!(seen.note(&event("b", 20), at(20)) && !seen.note(&event("b", 20), at(21)));
        assert!(seen.note(&event("a", 15), at(21)), "it was accepted before, and committed after");
        assert!(!seen.note(&event("old", 9), at(21)), "it was there before");
        let other = Facts { tenant: "acme".into(), ..event("b", 20) };
        assert!(seen.note(&other, at(21)), "the same id of another tenant is another event");
    }

    #[test]
    fn a_delivery_is_shown_when_it_comes_and_each_time_it_ends() {
        let mut seen = Seen::default();
        let shown = ["pending", "retrying", "retrying", "failed", "failed", "retrying", "delivered", "delivered"]
            .into_iter()
            .zip([0, 1, 2, 3, 3, 3, 4, 4])
            .map(|(status, attempts)| seen.note(&delivery("d", 1, status, attempts), at(1)));
        assert_eq!(shown.collect::<Vec<_>>(), [true, false, false, true, false, false, true, false]);
    }

    #[test]
    fn one_that_waits_is_followed_to_its_end_however_old_it_is() {
        let mut seen = Seen::default();
        seen.begin(at(100));
        assert!(!seen.note(&delivery("d", 1, "retrying", 1), at(100)));
        assert!(seen.due(at(104), 9).is_empty(), "not at once");
        let due = seen.due(at(105), 9);
        assert_eq!((due.len(), due[0].event_id.as_str(), due[0].endpoint_id, due[0].tenant.as_str()), (1, "e", 7, "default"));
        assert!(!seen.note(&delivery("d", 1, "retrying", 2), at(105)));
        assert!(seen.due(at(109), 9).is_empty());
        assert!(seen.note(&delivery("d", 1, "delivered", 3), at(110)));
        assert!(seen.due(at(1_000), 9).is_empty() && !seen.note(&delivery("d", 1, "delivered", 3), at(111)));
        // One whose attempt is due later is left alone until then.
        seen.note(&delivery("later", 200, "retrying", 1), at(201));
        assert!(seen.due(at(260), 9).is_empty());
        let due = seen.due(at(261), 9);
        assert_eq!(due.len(), 1);
        seen.gone(&due[0]);
        assert!(seen.due(at(1_000), 9).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_forgotten_is_not_shown_again() {
        let mut seen = Seen::default();
        let count = u32::try_from(MAX_KNOWN).expect("small") + 10;
        for second in 0..count {
            assert!(seen.note(&event(&second.to_string(), second), at(second)));
            seen.forget();
        }
        assert!(seen.known.len() <= MAX_KNOWN);
        for second in 0..count {
            assert!(!seen.is_new(&event(&second.to_string(), second)), "{second}");
        }
        for number in 0..2 * MAX_WAITING {
            seen.note(&delivery(&number.to_string(), count, "pending", 0), at(count));
        }
        assert_eq!(seen.waiting.len(), MAX_WAITING);
    }
}
