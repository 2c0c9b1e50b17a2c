//! Events as they are listed.

use std::fmt;
use std::str::FromStr;

use chrono::DateTime;

use crate::model::clock::Timestamp;
use crate::model::event::EventKey;

/// An event as lists show it: without its data, which may be large.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    pub key: EventKey,
    pub event_type: String,
    pub source: String,
    pub version: String,
    /// Unix seconds, as the application says.
    pub timestamp: f64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its deliveries were recorded.
    pub routed_at: Option<Timestamp>,
    /// Why it is a dead letter.
    pub set_aside: Option<String>,
}

impl EventView {
    #[must_use]
    pub fn place(&self) -> EventPlace {
        EventPlace { at: self.created_at, key: self.key.clone() }
    }
}

/// One event by itself: with its data.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDetail {
    pub view: EventView,
    /// JSON text as it is kept; `None` where it has more bytes than were asked for.
    pub data: Option<String>,
    pub data_bytes: u64,
}

/// Which events a list shows: those that match everything that is set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    pub tenant: Option<String>,
    pub event_type: Option<String>,
    pub source: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// Where an event is in the list: by the time of its acceptance, then by tenant and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// In whole microseconds.
    pub at: Timestamp,
    pub key: EventKey,
}

/// `1763757296120000:default/evt_1`
impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at.timestamp_micros(), self.key.to_member())
    }
}

/// It is none.
#[derive(Debug, PartialEq, Eq)]
pub struct NoPlace;

impl FromStr for EventPlace {
    type Err = NoPlace;
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let place = || {
            let (micros, member) = text.split_once(':')?;
            let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            Some(Self { at, key: EventKey::from_member(member)? })
        };
        place().ok_or(NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::clock;

    #[test]
    fn places_come_back_from_their_text() {
        let key = EventKey { tenant: Arc::from("acme"), id: Arc::from("a:b/c") };
        let place = EventPlace { at: clock::from_unix_seconds(1_763_757_296.25), key };
        assert_eq!(place.to_string(), "1763757296250000:acme/a:b/c");
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "1", "1:", "1:acme", "x:acme/a", "99999999999999999999:acme/a", "9223372036854775807:acme/a", "1:no tenant/a"] {
            assert_eq!(wrong.parse::<EventPlace>(), Err(NoPlace), "{wrong}");
        }
    }
}
