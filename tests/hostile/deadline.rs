//! Whatever a receiver does, the attempt ends within its deadline, and says what happened.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::receivers::{self, Ends};
use crate::harness::{Authority, LONG, World, eventually};

const TIMEOUT: f64 = 0.8;
/// For machines that have much else to do.
const SLACK: f64 = 4.0;

/// What ends otherwise than by its deadline has time for that, however busy the machine is.
pub(super) fn timeout(ends: Ends) -> f64 {
    if matches!(ends, Ends::With("timeout") | Ends::Somehow) { TIMEOUT } else { 20.0 }
}

pub(super) fn assert_ended(delivery: &Value, ends: Ends) {
    let error = delivery["error_message"].as_str().unwrap_or_default();
    match ends {
        Ends::With(start) => assert!(delivery["status"] == "failed" && error.starts_with(start), "{start}: {delivery}"),
        Ends::Delivered => assert_eq!(delivery["status"], "delivered", "{delivery}"),
        Ends::Somehow => {}
    }
    assert!(delivery["response_time"].as_f64().unwrap() < timeout(ends) + SLACK, "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_ends_within_its_deadline_whatever_the_receiver_does() {
    let world = World::embedded().await;
    let hostile = receivers::all().await;
    for receiver in &hostile {
        let endpoint = json!({"max_retries": 1, "timeout": timeout(receiver.ends)});
        world.api.deliver(receiver.name, &receiver.url(), &endpoint).await;
    }
    for receiver in &hostile {
        assert_ended(&world.api.ended(receiver.name).await, receiver.ends);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_unpacked() {
    let world = World::embedded().await;
    for (name, encoding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("deflate", "deflate"), ("many", "gzip, gzip, gzip")] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 1000\r\n\r\n");
        let answer: &'static [u8] = [head.as_bytes(), &[b'z'; 1000]].concat().leak();
        let receiver = crate::harness::Raw::serve(move |stream| receivers::say(stream, answer)).await;
        world.api.deliver(name, &format!("http://{}/", receiver.address()), &json!({"max_retries": 1})).await;
        assert_eq!(world.api.ended(name).await["response_body"], "z".repeat(1000), "{name}");
    }
}

/// An event that fits into no buffer on its way.
fn large(name: &str) -> Value {
    json!({"id": name, "event_type": name, "data": "x".repeat(12 << 20)})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_reads_the_request_costs_one_deadline_and_no_socket() {
    let authority = Authority::new();
    let world = World::embedded()
        .set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "16777216")
        .set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap())
        .await;
    let (never, _plain) = receivers::narrow(async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let never_tls = authority.identity(&["127.0.0.1"]).serve("http/1.1", async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let never_tls = never_tls.await;
    // Answers at once what it never reads.
    let (early, _early) = receivers::narrow(async |mut stream| {
        let _came = stream.peek(&mut [0]).await;
        let _written = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        std::future::pending::<()>().await;
    })
    .await;
    let before = world.app.connections();
    let cases = [
        ("never", format!("http://{never}/"), Ends::With("timeout")),
        ("never.tls", format!("https://{}/", never_tls.address()), Ends::With("timeout")),
        ("early", format!("http://{early}/"), Ends::Delivered),
    ];
    for (name, url, _) in &cases {
        world.api.register(url, &json!({"event_types": [name], "max_retries": 1, "timeout": TIMEOUT})).await;
        world.api.send(&large(name)).await;
    }
    for (name, _, ends) in &cases {
        assert_ended(&world.api.ended(name).await, *ends);
    }
    eventually(LONG, async || (world.app.connections() <= before).then_some(())).await;
}
