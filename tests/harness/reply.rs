//! What a receiver does with one request.

use std::time::Duration;

use super::gate::Gate;

/// One step of a receiver's script.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(super) delay: Duration,
    pub(super) gate: Option<Gate>,
    pub(super) action: Action,
}

#[derive(Clone)]
pub(super) enum Action {
    /// Writes these bytes; then the connection stays open, or not.
    Write { bytes: Vec<u8>, keep: bool },
    /// Writes these bytes and nothing more, connection open.
    Hang(Vec<u8>),
}

impl Reply {
    /// An empty answer with that status.
    pub(crate) fn status(status: u16) -> Self {
        Self::full(status, &[], b"")
    }

    pub(crate) fn full(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let length = body.len().to_string();
        let mut bytes = head(status, headers.iter().copied().chain([("Content-Length", length.as_str())]));
        bytes.extend_from_slice(body);
        Self::write(bytes, true)
    }

    /// That answer with one header, as `Reply::with_header(429, "Retry-After", "2")`.
    pub(crate) fn with_header(status: u16, name: &str, value: &str) -> Self {
        Self::full(status, &[(name, value)], b"")
    }

    /// These bytes as they are; then the connection closes.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self::write(bytes.to_vec(), false)
    }

    /// The connection closes without an answer.
    pub(crate) fn drop_connection() -> Self {
        Self::raw(b"")
    }

    /// No answer ever, connection open.
    pub(crate) fn hang() -> Self {
        Self::new(Action::Hang(Vec::new()))
    }

    /// The head of an answer, the start of its body, and then nothing, connection open.
    pub(crate) fn hang_in_body(status: u16) -> Self {
        let mut bytes = head(status, [("Content-Length", "1000")]);
        bytes.extend_from_slice(b"and then");
        Self::new(Action::Hang(bytes))
    }

    /// The same, later.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same, once the gate opens.
    pub(crate) fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    fn write(bytes: Vec<u8>, keep: bool) -> Self {
        Self::new(Action::Write { bytes, keep })
    }

    fn new(action: Action) -> Self {
        Self { delay: Duration::ZERO, gate: None, action }
    }
}

fn head<'a>(status: u16, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("Unknown");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    // These statuses have no body, and say so by having no length.
    let bodiless = status == 204 || status == 304;
    for (name, value) in headers.into_iter().filter(|(name, _)| !bodiless || *name != "Content-Length") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}
