//! Which trace an event belongs to: W3C Trace Context, and the ids of the spans that are made of its way.
//!
//! All ids follow from what they name. So every process that makes a span of an event makes it in the same trace and below the same
//! parent, as often as a crash makes it begin anew, and nothing has to be written down.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;

/// Sixteen bytes, not all of them zero; 32 lower-case hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Eight bytes, not all of them zero; 16 lower-case hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Where in which trace something happens: what `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    pub trace_id: TraceId,
    /// The parent of what comes next.
    pub span_id: SpanId,
    /// [`TraceContext::SAMPLED`], and whether the trace id is random (bit 1): the bits that have a meaning.
    pub flags: u8,
}

impl TraceContext {
    pub const SAMPLED: u8 = 1;
    const KNOWN_FLAGS: u8 = 3;
    /// The bytes of a `traceparent` as we write it.
    const LENGTH: usize = 55;

    /// Reads `traceparent`, `version-trace-parent-flags`. A version that is still to come may have more after that.
    ///
    /// `None` for what is none: then a new trace begins (W3C Trace Context, section 3.3).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let whole = match (bytes.get(..2)?, bytes.len()) {
            (b"00", length) => length == Self::LENGTH,
            (b"ff", _) => false,
            (_, length) => length == Self::LENGTH || (length > Self::LENGTH && bytes[Self::LENGTH] == b'-'),
        };
        if !whole || bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
            return None;
        }
        let [_version] = digits(&bytes[..2])?;
        let [flags] = digits(&bytes[53..Self::LENGTH])?;
        let (trace_id, span_id) = (TraceId(digits(&bytes[3..35])?), SpanId(digits(&bytes[36..52])?));
        let none = trace_id.0 == [0; 16] || span_id.0 == [0; 8];
        (!none).then_some(Self { trace_id, span_id, flags: flags & Self::KNOWN_FLAGS })
    }

    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}

/// Lower-case hex, as many digits as there are.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.iter().any(u8::is_ascii_uppercase);
    hex::decode_to_slice(text, &mut bytes).is_ok_and(|()| lower).then_some(bytes)
}

/// `traceparent` in version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl TraceId {
    /// The trace of an event that brings none.
    #[must_use]
    pub fn of_event(accepted_at: Timestamp, key: &EventKey) -> Self {
        Self(hash("trace", &[key.to_member().as_bytes(), &accepted_at.timestamp_micros().to_be_bytes()]))
    }

    /// Whether this trace is among those of a sample that has this part of all, from 0 to 1. As `TraceIdRatioBased` decides everywhere:
    /// whoever samples a larger part has this trace too.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of 2^63")]
    pub fn is_within(self, part: f64) -> bool {
        let (_, low) = self.0.split_at(8);
        let place = low.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)) >> 1;
        part >= 1.0 || place < (part * (1_u64 << 63) as f64) as u64
    }
}

impl SpanId {
    /// The span in which an event is accepted.
    #[must_use]
    pub fn of_acceptance(key: &EventKey) -> Self {
        Self(hash("accept", &[key.to_member().as_bytes()]))
    }

    /// The span in which an event is matched, and below which all attempts are.
    #[must_use]
    pub fn of_routing(key: &EventKey) -> Self {
        Self(hash("route", &[key.to_member().as_bytes()]))
    }

    /// The span of one attempt. One that is repeated, since a worker died before recording it, has the same.
    #[must_use]
    pub fn of_attempt(delivery: DeliveryId, number: u32) -> Self {
        Self(hash("attempt", &[delivery.0.as_bytes(), &number.to_be_bytes()]))
    }
}

fn hash<const N: usize>(what: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new_with_prefix(what);
    for part in parts {
        hash.update(part);
    }
    let mut id = [0; N];
    id.copy_from_slice(&hash.finalize()[..N]);
    // Zeros alone are no id.
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::clock::from_unix_seconds;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        for text in
            [GIVEN, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "00-00000000000000000000000000000001-0000000000000001-03"]
        {
            assert_eq!(TraceContext::parse(text).expect(text).to_string(), text);
        }
        assert!(TraceContext::parse(GIVEN).expect("valid").is_sampled());
        assert!(!TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02").expect("valid").is_sampled());
    }

    #[test]
    fn what_a_later_version_adds_is_left_out_and_so_are_flags_without_a_meaning() {
        let later =
            ["01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-f9-more"];
        for text in later {
            assert_eq!(TraceContext::parse(text).expect(text).to_string(), GIVEN);
        }
        let other_flags = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fd").expect("valid");
        assert_eq!(other_flags.to_string(), GIVEN);
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for text in [
            "",
            "0",
            "é",
            "nonsense",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    fn key(id: &str) -> EventKey {
        EventKey { tenant: Arc::from("default"), id: Arc::from(id) }
    }

    #[test]
    fn ids_follow_from_what_they_name() {
        let (at, later) = (from_unix_seconds(1_763_757_000.0), from_unix_seconds(1_763_757_000.5));
        assert_eq!(TraceId::of_event(at, &key("a")), TraceId::of_event(at, &key("a")));
        assert_ne!(TraceId::of_event(at, &key("a")), TraceId::of_event(later, &key("a")), "an id that is used again is another event");
        assert_ne!(TraceId::of_event(at, &key("a")), TraceId::of_event(at, &key("b")));
        assert_ne!(SpanId::of_acceptance(&key("a")), SpanId::of_routing(&key("a")));
        let delivery = DeliveryId::of(at, &key("a"), 1);
        assert_eq!(SpanId::of_attempt(delivery, 1), SpanId::of_attempt(delivery, 1));
        assert_ne!(SpanId::of_attempt(delivery, 1), SpanId::of_attempt(delivery, 2));
    }

    #[test]
    fn a_sample_has_its_part_of_all_traces_and_is_within_every_larger_one() {
        let at = from_unix_seconds(1_763_757_000.0);
        let traces: Vec<_> = (0..4000).map(|number| TraceId::of_event(at, &key(&format!("e{number}")))).collect();
        let within = |part| traces.iter().filter(|trace| trace.is_within(part)).count();
        assert_eq!((within(0.0), within(1.0)), (0, 4000));
        assert!((800..1200).contains(&within(0.25)), "{}", within(0.25));
        assert!(traces.iter().all(|trace| !trace.is_within(0.25) || trace.is_within(0.3)));
    }

    #[test]
    fn the_lower_half_of_a_trace_id_decides() {
        let with = |half: u64| TraceId(((1_u128 << 64) | u128::from(half)).to_be_bytes());
        assert!(with(0).is_within(0.000_001));
        assert!(with(u64::MAX / 2 - 1).is_within(0.5) && !with(u64::MAX / 2 + 2).is_within(0.5));
        assert!(with(u64::MAX).is_within(1.0) && !with(0).is_within(0.0));
    }
}
