//! One request as a receiver got it.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use posthaste::model::clock::Timestamp;

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// With the query, as it was asked for.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// The exact bytes.
    pub(crate) body: Bytes,
    /// When all of it was there.
    pub(crate) at: Instant,
    /// The same moment on the wall clock.
    pub(crate) wall: Timestamp,
}

impl Received {
    /// A header's value; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn event_id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn delivery_id(&self) -> &str {
        self.header("x-webhook-delivery")
    }

    /// 1, 2, 3 …; 0 when the header is missing.
    pub(crate) fn attempt(&self) -> u32 {
        self.header("x-webhook-attempt").parse().unwrap_or(0)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("bodies are JSON")
    }
}
