//! What has waited for longest.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::Deserialize;

use super::RedisQueue;
use crate::model::clock::{self, Timestamp};
use crate::ports::{BackendError, Oldest};

/// How much of an entry is looked at. Where there is more, its `timestamp` is not looked for.
const LOOK: usize = 2048;

/// Members with their scores.
type Scored = Vec<(Bytes, f64)>;

/// What was seen of the list's end.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When the list was empty.
    empty: Option<Timestamp>,
    /// What was at its end, and since when.
    last: Option<(Bytes, Timestamp)>,
}

impl Seen {
    /// Since when the entry waits that is at the end of the list now. `whole`: `entry` is all of it.
    fn since(&mut self, found: Option<(bool, Bytes)>, now: Timestamp) -> Option<Timestamp> {
        let Some((whole, entry)) = found else {
            *self = Self { empty: Some(now), last: None };
            return None;
        };
        let first_seen = self.last.take().filter(|(last, _)| *last == entry).map_or(now, |(_, since)| since);
        let told = if whole { timestamp(&entry) } else { None };
        self.last = Some((entry, first_seen));
        let since = told.unwrap_or(first_seen).min(first_seen);
        Some(self.empty.map_or(since, |empty| since.max(empty)))
    }
}

/// The time that an entry tells.
fn timestamp(entry: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Told {
        timestamp: Option<f64>,
    }
    let told: Told = serde_json::from_slice(entry).ok()?;
    told.timestamp.map(clock::from_unix_seconds)
}

impl RedisQueue {
    pub(super) async fn look_at_oldest(&self) -> Result<Oldest, BackendError> {
        let mut link = self.link.connection();
        let entry: Option<(bool, Bytes)> =
            self.scripts.oldest.key(&self.keys.events).arg(LOOK).invoke_async(&mut link).await.map_err(self.link.failed())?;
        let (accepted, due): (Scored, Scored) = redis::pipe()
            .zrange_withscores(&self.keys.accepted, 0, 0)
            .zrange_withscores(&self.keys.retries, 0, 0)
            .query_async(&mut link)
            .await
            .map_err(self.link.failed())?;
        let time = |first: &[(Bytes, f64)]| first.first().map(|(_, score)| clock::from_unix_seconds(*score));
        let entry = self.watched.0.lock().unwrap_or_else(PoisonError::into_inner).since(entry, clock::now());
        Ok(Oldest { event: entry.into_iter().chain(time(&accepted)).min(), due: time(&due) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> Timestamp {
        clock::from_unix_seconds(1000.0 + f64::from(second))
    }

    fn entry(text: &str) -> Option<(bool, Bytes)> {
        Some((true, Bytes::copy_from_slice(text.as_bytes())))
    }

    #[test]
    fn an_entry_waits_since_the_time_that_it_tells() {
        let mut seen = Seen::default();
        assert_eq!(seen.since(entry(r#"{"id":"a","timestamp":1003.5}"#), at(9)), Some(clock::from_unix_seconds(1003.5)));
        assert_eq!(seen.since(None, at(10)), None);
    }

    #[test]
    fn but_not_longer_than_the_list_was_empty_nor_less_than_it_was_seen() {
        let (old, future) = (entry(r#"{"timestamp":3}"#), entry(r#"{"timestamp":9999}"#));
        let mut seen = Seen::default();
        seen.since(None, at(5));
        assert_eq!(seen.since(old, at(9)), Some(at(5)), "somebody enqueues what happened long ago");
        assert_eq!(seen.since(future.clone(), at(11)), Some(at(11)));
        assert_eq!(seen.since(future, at(20)), Some(at(11)), "a clock is ahead");
    }

    #[test]
    fn what_tells_no_time_waits_since_it_was_first_seen_at_the_end() {
        for without in [entry("{}"), entry("no JSON"), Some((false, Bytes::from_static(br#"{"timestamp":3}"#)))] {
            let mut seen = Seen::default();
            assert_eq!(seen.since(without.clone(), at(5)), Some(at(5)));
            assert_eq!(seen.since(without, at(7)), Some(at(5)));
            assert_eq!(seen.since(entry("another"), at(8)), Some(at(8)));
        }
    }
}
