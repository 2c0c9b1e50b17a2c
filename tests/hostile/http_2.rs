//! Receivers that misbehave over HTTP/2.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::deadline::{assert_ended, timeout};
use super::receivers::{Ends, Hostile, flood};
use crate::harness::{Authority, LONG, World, eventually};

/// A frame's head: length, type, flags, stream (RFC 9113, section 4.1).
const fn head(length: u8, kind: u8, flags: u8, stream: u8) -> [u8; 9] {
    [0, 0, length, kind, flags, 0, 0, 0, stream]
}

const SETTINGS: [u8; 9] = head(0, 4, 0, 0);
/// INITIAL_WINDOW_SIZE is 0.
const NO_WINDOW: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
/// HEADERS of stream 1 without END_HEADERS: `:status: 200`, and then an empty CONTINUATION again and again.
const OPEN_HEADERS: [u8; 10] = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88];
const CONTINUATION: [u8; 9] = head(0, 9, 0, 1);
/// HEADERS of stream 1 with END_HEADERS, and then empty DATA frames.
const HEADERS: [u8; 10] = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
const NO_DATA: [u8; 9] = head(0, 0, 0, 1);
/// RST_STREAM of stream 1: INTERNAL_ERROR.
const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];
const GO_AWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];

/// Writes `start` when the request has come, then `more` for ever.
async fn misbehave(mut stream: TlsStream<TcpStream>, start: &[u8], more: &[u8]) {
    let mut request = vec![0; 16 * 1024];
    let _greeted = stream.write_all(&SETTINGS).await;
    // The preface with its settings, and then the request.
    for _ in 0..2 {
        let _read = stream.read(&mut request).await;
    }
    let _written = stream.write_all(start).await;
    if !more.is_empty() {
        flood(&mut stream, more).await;
    }
    while matches!(stream.read(&mut request).await, Ok(1..)) {}
    std::future::pending::<()>().await;
}

/// How those end that answer before the request is there depends on which comes first.
const SCRIPTS: [(&str, &[u8], &[u8], Ends); 9] = [
    ("h2.silent", b"", b"", Ends::With("timeout")),
    ("h2.no.window", &NO_WINDOW, b"", Ends::With("timeout")),
    ("h2.pings", b"", &PING, Ends::Somehow),
    ("h2.settings", b"", &SETTINGS, Ends::Somehow),
    ("h2.continuations", &OPEN_HEADERS, &CONTINUATION, Ends::Somehow),
    ("h2.no.data", &HEADERS, &NO_DATA, Ends::Somehow),
    ("h2.reset", &RESET, b"", Ends::Somehow),
    ("h2.go.away", &GO_AWAY, b"", Ends::Somehow),
    ("h2.noise", b"HTTP/1.1 200 OK\r\n\r\n", b"", Ends::Somehow),
];

pub(super) async fn all(authority: &Authority) -> Vec<Hostile> {
    let mut all = Vec::new();
    for (name, start, more, ends) in SCRIPTS {
        let raw = authority.identity(&["127.0.0.1"]).serve("h2", move |stream| misbehave(stream, start, more)).await;
        all.push(Hostile { name, raw, scheme: "https", ends });
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_over_http_2_ends_within_its_deadline_and_leaves_no_socket() {
    let authority = Authority::new();
    let world = World::embedded()
        .set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap())
        .set("POSTHASTE__CONNECTIONS__IDLE", "0.5")
        .await;
    let hostile = all(&authority).await;
    let before = world.app.connections();
    for receiver in &hostile {
        let endpoint = json!({"max_retries": 1, "timeout": timeout(receiver.ends)});
        world.api.deliver(receiver.name, &receiver.url(), &endpoint).await;
    }
    for receiver in &hostile {
        assert_ended(&world.api.ended(receiver.name).await, receiver.ends);
    }
    eventually(LONG, async || (world.app.connections() <= before).then_some(())).await;
}
