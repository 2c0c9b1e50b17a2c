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
        // The body has no tenant, and requeued without one it would become somebody else's event. Tenants need no escaping.
        let mut entry = event.body.to_vec();
        entry.pop();
        entry.extend_from_slice(format!(",\"tenant\":\"{}\"}}", event.key.tenant).as_bytes());
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
