//! Receivers that are reached by https.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::harness::certificates::Identity;
use crate::harness::{Authority, Launch, Raw, World, watchdog};

/// Answers each request with 204.
pub(crate) async fn answers(mut stream: TlsStream<TcpStream>) {
    let mut request = [0; 16 * 1024];
    while matches!(stream.read(&mut request).await, Ok(1..)) {
        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
            return;
        }
    }
}

fn url(receiver: &Raw, host: &str) -> String {
    format!("https://{}/", receiver.address().replace("127.0.0.1", host))
}

async fn attempt(world: &World, name: &str, url: &str) -> Value {
    world.api.deliver(name, url, &json!({"max_retries": 1, "timeout": 20})).await;
    world.api.ended(name).await
}

fn assert_tls_failure(delivery: &Value, why: &str) {
    let error = delivery["error_message"].as_str().unwrap_or_default();
    assert_eq!(delivery["status"], "failed", "{delivery}");
    assert!(error.starts_with("TLS failure") && error.contains(why), "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_configured_authority_is_trusted() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    let by_address = authority.identity(&["127.0.0.1"]).serve("http/1.1", answers).await;
    let by_name = authority.identity(&["localhost"]).serve("http/1.1", answers).await;
    for (name, url) in [("address", url(&by_address, "127.0.0.1")), ("name", url(&by_name, "localhost"))] {
        let delivery = attempt(&world, name, &url).await;
        assert_eq!((&delivery["status"], &delivery["response_status"]), (&json!("delivered"), &json!(204)), "{delivery}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_trusted_is_a_failed_attempt_that_says_tls() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    let here = ["127.0.0.1"];
    let cases = [
        ("stranger", Authority::new().identity(&here), "UnknownIssuer"),
        ("self.signed", Identity::self_signed(&here), ""),
        ("expired", authority.expired(&here), "xpired"),
        ("other.address", authority.identity(&["127.0.0.2"]), "not valid for name"),
        ("other.name", authority.identity(&["example.com"]), "not valid for name"),
    ];
    for (name, identity, why) in cases {
        let receiver = identity.serve("http/1.1", answers).await;
        assert_tls_failure(&attempt(&world, name, &url(&receiver, "127.0.0.1")).await, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_only_what_the_system_trusts_is_trusted() {
    let receiver = Authority::new().identity(&["127.0.0.1"]).serve("http/1.1", answers).await;
    assert_tls_failure(&attempt(&World::embedded().await, "e", &url(&receiver, "127.0.0.1")).await, "UnknownIssuer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_speaks_http_2_gets_http_2_over_one_connection() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let connections = Arc::new(Mutex::new(0));
    let (noted, counted) = (Arc::clone(&seen), Arc::clone(&connections));
    let receiver = authority.identity(&["127.0.0.1"]).serve("h2", move |stream| {
        let seen = Arc::clone(&noted);
        *counted.lock().unwrap() += 1;
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
                seen.lock().unwrap().push((request.version(), id));
                let answer = http::Response::builder().status(202).body(()).expect("an answer");
                let _answered = respond.send_response(answer, true);
            }
        }
    });
    let receiver = receiver.await;
    assert_eq!(attempt(&world, "first", &url(&receiver, "127.0.0.1")).await["response_status"], 202);
    world.api.register(&url(&receiver, "127.0.0.1"), &json!({"event_types": ["more"]})).await;
    let events: Vec<_> = (0..100).map(|number| json!({"id": number.to_string(), "event_type": "more", "data": {}})).collect();
    world.api.send(&json!(events)).await;
    world.api.wait_for_deliveries("delivered", 101).await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 101);
    assert!(seen.iter().all(|(version, id)| *version == http::Version::HTTP_2 && !id.is_empty()));
    assert_eq!(*connections.lock().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_receiver_that_turns_a_request_away_unread_gets_it_again_at_once() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    let first = Arc::new(Mutex::new(true));
    let receiver = authority.identity(&["127.0.0.1"]).serve("h2", move |stream| {
        let refuses = std::mem::take(&mut *first.lock().unwrap());
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if refuses {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                } else {
                    let _answered = respond.send_response(http::Response::new(()), true);
                }
            }
        }
    });
    let receiver = receiver.await;
    let delivery = attempt(&world, "e", &url(&receiver, "127.0.0.1")).await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)), "{delivery}");
}

#[tokio::test]
async fn a_file_without_usable_certificates_is_a_bad_configuration() {
    let directory = watchdog::directory("tls");
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = directory.join("missing.pem").to_str().unwrap().to_owned();
    let files = [
        missing,
        write("empty.pem", ""),
        write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB"),
        write("noise.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ];
    let launch = Launch::new(["dev"]).set("POSTHASTE__TLS__CA_FILES", &files.join(",")).set("POSTHASTE__GUARD__HTTPS_ONLY", "perhaps");
    let finished = launch.finish().await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    for file in &files {
        assert!(finished.stderr.contains(&format!("tls.ca_files: has `{file}`")), "{file} in\n{}", finished.stderr);
    }
    assert!(finished.stderr.contains("guard.https_only: "), "{}", finished.stderr);
}
