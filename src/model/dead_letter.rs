//! A queue entry that cannot be processed, kept with its reason.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::clock::{self, Timestamp};
use crate::model::event::Event;

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What is wrong with it.
    pub reason: String,
    /// A word for metrics: `too_large`, `not_json`, `bad_field`, `panicked`, `refused`.
    pub class: &'static str,
    pub at: Timestamp,
    /// The entry, byte for byte.
    pub entry: Bytes,
}

/// How many bytes are left of an entry that is cut.
pub const CUT: usize = 1024;

/// A dead letter as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLetter {
    /// Of letters and digits.
    pub id: String,
    pub reason: String,
    /// `None` of one that somebody else put there.
    pub at: Option<Timestamp>,
    /// The entry, or its first bytes when it is `cut`.
    pub entry: Bytes,
    /// Bytes of the whole entry.
    pub size: u64,
    pub cut: bool,
}

impl KeptLetter {
    /// A letter as [`DeadLetter::to_json`] spells it; of anything else, the entry is all of it.
    #[must_use]
    pub fn from_stored(id: String, stored: Bytes) -> Self {
        let read = serde_json::from_slice::<Wire<'_>>(&stored).ok().map(|wire| {
            let raw = wire.entry_base64.and_then(|text| STANDARD.decode(text).ok());
            let entry = raw.unwrap_or_else(|| wire.entry.into_owned().into_bytes());
            (wire.reason.into_owned(), clock::from_unix_seconds(wire.at), Bytes::from(entry))
        });
        match read {
            Some((reason, at, entry)) => Self { id, reason, at: Some(at), size: entry.len() as u64, entry, cut: false },
            None => Self::foreign(id, stored),
        }
    }

    /// One that is not spelled as we do.
    #[must_use]
    pub fn foreign(id: String, entry: Bytes) -> Self {
        let reason = "somebody else put this here: it is all of the entry".into();
        Self { id, reason, at: None, size: entry.len() as u64, entry, cut: false }
    }

    /// The same with an entry of more than `max` bytes cut.
    #[must_use]
    pub fn cut_to(mut self, max: usize) -> Self {
        if self.entry.len() > max {
            self.cut = true;
            // A copy: a slice would keep all of it in memory.
            self.entry = Bytes::copy_from_slice(&self.entry[..CUT.min(self.entry.len())]);
        }
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    reason: std::borrow::Cow<'a, str>,
    at: f64,
    entry: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry_base64: Option<String>,
}

impl DeadLetter {
    /// The letter of an event that was understood, and cannot be processed all the same.
    #[must_use]
    pub fn of_event(event: &Event, reason: String, class: &'static str) -> Self {
        // The body has no tenant, and requeued without one it would become somebody else's event. Neither this nor the trace needs escaping.
        let mut entry = event.body.to_vec();
        entry.pop();
        entry.extend_from_slice(format!(",\"tenant\":\"{}\"", event.key.tenant).as_bytes());
        if let Some(traceparent) = event.traceparent {
            entry.extend_from_slice(format!(",\"traceparent\":\"{traceparent}\"").as_bytes());
        }
        entry.push(b'}');
        Self { reason, class, at: clock::now(), entry: entry.into() }
    }

    /// `{"reason": …, "at": Unix seconds, "entry": …}`; an entry that is not UTF-8 is added as `entry_base64`, so that nothing of it is lost.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = std::str::from_utf8(&self.entry);
        let wire = Wire {
            reason: self.reason.as_str().into(),
            at: clock::unix_seconds(self.at),
            entry: String::from_utf8_lossy(&self.entry),
            entry_base64: text.is_err().then(|| STANDARD.encode(&self.entry)),
        };
        #[expect(clippy::expect_used, reason = "strings and finite floats always serialize")]
        serde_json::to_string(&wire).expect("strings and floats serialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{self, Reading};

    #[test]
    fn the_letter_of_an_event_is_read_as_that_event() {
        let reading = Reading { max_bytes: 4096, accepted_at: clock::now(), new_id: None, tenant: None, traceparent: None };
        for trace in ["", r#","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#] {
            let entry = format!(r#"{{"id":"e","event_type":"a","data":[1.0],"timestamp":7.5,"tenant":"acme"{trace}}}"#);
            let event = event::parse(entry.as_bytes(), reading).expect("an event");
            let letter = DeadLetter::of_event(&event, "it was".into(), "refused");
            assert_eq!(event::parse(&letter.entry, reading).as_ref(), Ok(&event));
        }
    }
}
