//! Events as they are listed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;

use crate::model::clock::{self, Timestamp};
use crate::model::event::{EventKey, intern_tenant};

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

/// After the last time that a cursor may name, in microseconds: the year 10000.
const END: i64 = 253_402_300_800_000_000;
/// The smallest id that an event can have.
const FIRST_ID: &str = "!";

/// Where an event is in the list: by the time of its acceptance, then by tenant and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// In whole microseconds.
    pub at: Timestamp,
    pub key: EventKey,
}

impl EventPlace {
    /// Where the events of `tenant` go on after this place, which is one of another tenant's: a place of its own, that nothing need be at.
    #[must_use]
    pub fn border(&self, tenant: &str) -> Self {
        // Of one time, those of larger tenants come first.
        let at = if *tenant < *self.key.tenant { clock::after(self.at, Duration::from_micros(1)) } else { self.at };
        Self { at, key: EventKey { tenant: intern_tenant(tenant), id: Arc::from(FIRST_ID) } }
    }
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
            let at = DateTime::from_timestamp_micros(micros.parse().ok().filter(|micros| (0..END).contains(micros))?)?;
            Some(Self { at, key: EventKey::from_member(member)? })
        };
        place().ok_or(NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_their_text() {
        let key = EventKey { tenant: Arc::from("acme"), id: Arc::from("a:b/c") };
        let place = EventPlace { at: clock::from_unix_seconds(1_763_757_296.25), key };
        assert_eq!(place.to_string(), "1763757296250000:acme/a:b/c");
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "1", "1:", "1:acme", "x:acme/a", "99999999999999999999:acme/a", "9223372036854775807:acme/a", "1:no tenant/a"] {
            assert_eq!(wrong.parse::<EventPlace>(), Err(NoPlace), "{wrong}");
        }
        assert!("253402300799999999:acme/a".parse::<EventPlace>().is_ok());
        for absurd in ["253402300800000000:acme/a", "-1:acme/a", "8210266876799999999:acme/a"] {
            assert_eq!(absurd.parse::<EventPlace>(), Err(NoPlace), "{absurd}");
        }
    }

    #[test]
    fn a_border_passes_no_event_of_its_tenant_and_repeats_none() {
        let place = |micros: u32, tenant: &str, id: &str| EventPlace {
            at: clock::after(clock::from_unix_seconds(1_763_757_296.0), Duration::from_micros(micros.into())),
            key: EventKey { tenant: Arc::from(tenant), id: Arc::from(id) },
        };
        // What comes after a place in the list is smaller.
        for foreign in [place(5, "acme", "a"), place(5, "zebra", "a")] {
            let border = foreign.border("default");
            assert_eq!(&*border.key.tenant, "default");
            assert_eq!(border.to_string().parse(), Ok(border.clone()));
            for micros in 4..7 {
                for id in ["!", "a", "~~~"] {
                    let own = place(micros, "default", id);
                    assert_eq!(own < border, own < foreign, "{own} and {foreign}");
                }
            }
        }
    }
}
