//! The one place that reads the wall clock.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A point in time, UTC, in whole microseconds: what both databases can keep without loss.
pub type Timestamp = DateTime<Utc>;

/// The wall clock, in whole microseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    DateTime::<Utc>::from(SystemTime::now()).trunc_subsecs(6)
}

/// `at` + `by`, held at the end of time instead of overflowing.
#[must_use]
pub fn after(at: Timestamp, by: Duration) -> Timestamp {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(6)
}

/// Whole microseconds, rounded up, and at most some thirty years: a time that they are added to stays exact in a double.
#[must_use]
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).min(1_000_000_000_000_000)
}

/// Unix seconds with fractions, as scores in Redis and event timestamps have them.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 need 51 bits until the year 2041, and lose one microsecond after")]
pub fn unix_seconds(at: Timestamp) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

/// The inverse of [`unix_seconds`]. Numbers outside the calendar become its nearest end.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and from_timestamp_micros refuses what is out of range")]
pub fn from_unix_seconds(seconds: f64) -> Timestamp {
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64).unwrap_or(if seconds < 0.0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}
