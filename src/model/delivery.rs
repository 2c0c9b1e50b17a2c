//! A delivery: one event owed to one endpoint.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventKey};

/// Names a delivery; receivers see it in `X-Webhook-Delivery`.
///
/// A UUIDv8 (RFC 9562) made of the event's acceptance time, a hash of its key and the endpoint. So a request that has
/// to be repeated because a worker died before recording it carries the same id again, ids sort by
/// age, and the deliveries of one event lie side by side in the primary key: no further index is
/// needed to list by time or by event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DeliveryId(pub Uuid);

const ENDPOINT_BITS: u32 = 24;

impl DeliveryId {
    /// The largest id of an endpoint that a delivery's id holds whole.
    pub const MOST_ENDPOINTS: i64 = (1 << ENDPOINT_BITS) - 1;

    /// The id of `event`'s delivery to the endpoint.
    #[must_use]
    pub fn of(accepted_at: Timestamp, event: &EventKey, endpoint_id: i64) -> Self {
        let low = endpoint_id.cast_unsigned() & ((1 << ENDPOINT_BITS) - 1);
        Self(compose(accepted_at, event_bits(event), low))
    }

    /// The first and the last id that a delivery of `event` can have.
    #[must_use]
    pub fn range_of(accepted_at: Timestamp, event: &EventKey) -> (Self, Self) {
        let bits = event_bits(event);
        (Self(compose(accepted_at, bits, 0)), Self(compose(accepted_at, bits, (1 << ENDPOINT_BITS) - 1)))
    }

    /// The endpoint, where no endpoint has an id over [`DeliveryId::MOST_ENDPOINTS`]; otherwise one whose id ends in the same bits.
    #[must_use]
    pub fn endpoint_id(self) -> i64 {
        i64::try_from(self.0.as_u64_pair().1 & ((1 << ENDPOINT_BITS) - 1)).unwrap_or_default()
    }

    /// The smallest id of all deliveries whose event was accepted at `at` or later.
    #[must_use]
    pub fn first_at(at: Timestamp) -> Self {
        Self(compose(at, 0, 0))
    }

    /// Points above this id that say nothing of it but when its event was accepted: where the next millisecond begins, and, closer by, where
    /// the next of 4,096 parts of its own does. Between such a point and the id there are others that have the same ones.
    #[must_use]
    pub fn borders(self) -> [Self; 2] {
        let (high, _) = self.0.as_u64_pair();
        let border = |high: u64| Self(Uuid::from_u64_pair(high, 0b10 << 62));
        let millisecond =
            (high >> 16).checked_add(1).filter(|next| *next < 1 << 48).map_or(Self(Uuid::max()), |next| border(next << 16 | 0x8000));
        let part = if high & 0xfff == 0xfff { millisecond } else { border(high + 1) };
        [millisecond, part]
    }
}

/// 50 bits of the SHA-1 that a UUIDv5 of the key is made of.
fn event_bits(event: &EventKey) -> u64 {
    let name = event.to_member();
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u64_pair();
    // The first 48 bits of a v5 are hash, and so are the last 62.
    (hash.0 >> 16) << 2 | (hash.1 & 0b11)
}

fn compose(accepted_at: Timestamp, event: u64, endpoint: u64) -> Uuid {
    let millis = accepted_at.timestamp_millis().clamp(0, (1 << 48) - 1).cast_unsigned();
    let high = millis << 16 | 0x8000 | event >> 38;
    let low = 0b10 << 62 | (event & ((1 << 38) - 1)) << ENDPOINT_BITS | endpoint;
    Uuid::from_u64_pair(high, low)
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for DeliveryId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No attempt was recorded yet.
    Pending,
    /// At least one attempt failed, and another will follow.
    Retrying,
    Delivered,
    Failed,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Retrying, Self::Delivered, Self::Failed];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Whether another attempt will follow.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::Retrying)
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| "must be pending, retrying, delivered or failed".into())
    }
}

/// What one attempt came to, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptResult {
    pub at: Timestamp,
    pub response_status: Option<u16>,
    /// The first 1,000 characters, without U+0000.
    pub response_body: Option<String>,
    /// Seconds.
    pub response_time: f64,
    pub error_message: Option<String>,
}

/// Where a delivery stands after what just happened to it: what the recorder writes.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryState {
    pub id: DeliveryId,
    pub endpoint_id: i64,
    pub status: Status,
    /// Attempts made so far, the last one included.
    pub attempt_count: u32,
    /// The attempt that led here; `None` where none was made.
    pub last: Option<AttemptResult>,
    /// Why it failed, where that was not an attempt's doing.
    pub reason: Option<String>,
    /// Set while [`Status::is_waiting`].
    pub next_retry_at: Option<Timestamp>,
}

/// A delivery that waits in the records, with all that another attempt needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    pub id: DeliveryId,
    pub endpoint_id: i64,
    /// Attempts made so far.
    pub attempt_count: u32,
    pub event_type: Arc<str>,
    /// When the next attempt is due.
    pub next_retry_at: Timestamp,
    /// `None` when the event's row is gone: then there is nothing to send any more.
    pub event: Option<Arc<Event>>,
}

/// A delivery as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub tenant: String,
    pub event_id: String,
    pub event_type: String,
    pub endpoint_id: i64,
    /// Empty when the endpoint's row is gone.
    pub endpoint_name: String,
    pub status: Status,
    pub attempt_count: u32,
    pub last_attempt_at: Option<Timestamp>,
    pub response_status: Option<u16>,
    pub response_body: Option<String>,
    /// Seconds.
    pub response_time: Option<f64>,
    pub error_message: Option<String>,
    pub next_retry_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// One attempt as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptView {
    /// 1, 2, 3 …
    pub number: u32,
    pub result: AttemptResult,
}

/// Which deliveries a list shows: those that match everything that is set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryFilter {
    pub tenant: Option<String>,
    pub endpoint_id: Option<i64>,
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    pub status: Option<Status>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
}

/// Totals over a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    pub total: u64,
    pub delivered: u64,
    pub failed: u64,
    /// Seconds, over the last attempt of each delivery that had one.
    pub avg_response_time: f64,
}

impl Totals {
    /// Totals are kept by the hour: hours since 1970 in UTC.
    #[must_use]
    pub fn hour_of(at: Timestamp) -> i64 {
        at.timestamp().div_euclid(3600)
    }

    /// Seconds; 0 when no attempt was made.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an average needs no more than 53 bits")]
    pub fn average(attempted: u64, micros: u64) -> f64 {
        if attempted == 0 { 0.0 } else { micros as f64 / 1e6 / attempted as f64 }
    }

    /// Delivered, of all that are settled one way or the other; 0 when none is. In percent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn success_rate(&self) -> f64 {
        let settled = self.delivered + self.failed;
        if settled == 0 { 0.0 } else { self.delivered as f64 * 100.0 / settled as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock;

    fn key(id: &str) -> EventKey {
        EventKey { tenant: Arc::from("default"), id: Arc::from(id) }
    }

    #[test]
    fn ids_are_the_same_every_time_and_differ_by_event_and_endpoint() {
        let at = clock::from_unix_seconds(1_763_757_296.123);
        let id = DeliveryId::of(at, &key("a"), 7);
        assert_eq!(id, DeliveryId::of(at, &key("a"), 7));
        assert_ne!(id, DeliveryId::of(at, &key("b"), 7));
        assert_ne!(id, DeliveryId::of(at, &key("a"), 8));
        assert_eq!((id.endpoint_id(), DeliveryId::of(at, &key("a"), DeliveryId::MOST_ENDPOINTS + 8).endpoint_id()), (7, 7));
        assert_eq!(id.0.get_version_num(), 8);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn ids_sort_by_the_time_of_acceptance_and_lie_in_their_events_range() {
        let early = clock::from_unix_seconds(1000.0);
        let late = clock::from_unix_seconds(1000.001);
        assert!(DeliveryId::of(early, &key("zzz"), i64::MAX) < DeliveryId::of(late, &key("a"), 0));
        let (first, last) = DeliveryId::range_of(early, &key("a"));
        let id = DeliveryId::of(early, &key("a"), 123_456);
        assert!(first <= id && id <= last);
        assert!(DeliveryId::first_at(early) <= first && last < DeliveryId::first_at(late));
    }

    #[test]
    fn borders_lie_above_and_are_the_same_for_all_ids_around() {
        let at = clock::from_unix_seconds(1_763_757_296.123);
        let ids: Vec<_> = (0..500).map(|number| DeliveryId::of(at, &key(&number.to_string()), number)).collect();
        for id in &ids {
            let [millisecond, part] = id.borders();
            assert_eq!(millisecond, DeliveryId::first_at(clock::from_unix_seconds(1_763_757_296.124)));
            assert!(*id < part && part <= millisecond);
            assert_eq!(part.0.as_u64_pair().1, 0b10 << 62, "{part}");
        }
        for id in [Uuid::nil(), Uuid::from_u64_pair(u64::MAX, u64::MAX - 1), Uuid::from_u64_pair(0xffff_ffff_ffff_8fff, 0)] {
            assert!(DeliveryId(id).borders().into_iter().all(|border| border.0 > id), "{id}");
        }
        let last_part = DeliveryId(Uuid::from_u64_pair(0x1_8fff, 1 << 63 | 7));
        assert_eq!(last_part.borders(), [DeliveryId(Uuid::from_u64_pair(0x2_8000, 1 << 63)); 2]);
    }
}
