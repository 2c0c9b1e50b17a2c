//! How times, ids and small numbers are kept.

use chrono::DateTime;
use uuid::Uuid;

use crate::backends::sqlite::trouble::Trouble;
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryId, Status};

/// The statuses of a delivery that another attempt will follow, as the partial index has them: SQLite uses it only where the
/// query says exactly this.
pub(super) const WAITING: &str = "webhook_deliveries.status IN ('pending', 'retrying')";

pub(super) fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// Times outside the calendar become its nearest end: they can only come from plain SQL.
pub(super) fn time(micros: i64) -> Timestamp {
    DateTime::from_timestamp_micros(micros).unwrap_or(if micros < 0 { Timestamp::MIN_UTC } else { Timestamp::MAX_UTC })
}

pub(super) fn delivery_id(bytes: &[u8]) -> Result<DeliveryId, Trouble> {
    Uuid::from_slice(bytes).map(DeliveryId).map_err(|error| Trouble::odd("webhook_deliveries", "with a strange id", error))
}

pub(super) fn status(text: &str, id: DeliveryId) -> Result<Status, Trouble> {
    text.parse().map_err(|why| Trouble::odd("webhook_deliveries", id, format!("status {why}")))
}

/// A count or HTTP status. What does not fit can only come from plain SQL, and becomes the largest that does.
pub(super) fn number<T: TryFrom<i64> + Bounded>(stored: i64) -> T {
    T::try_from(stored).unwrap_or(T::MOST)
}

/// Numbers with a largest one.
pub(super) trait Bounded {
    const MOST: Self;
}

impl Bounded for u16 {
    const MOST: Self = Self::MAX;
}

impl Bounded for u32 {
    const MOST: Self = Self::MAX;
}

impl Bounded for u64 {
    const MOST: Self = Self::MAX;
}

/// `LIMIT` of so many rows.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
