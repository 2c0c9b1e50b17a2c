//! Connections that are kept for further requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Authority, Gate, LONG, Raw, Receiver, Reply, World, eventually};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";

async fn read(stream: &mut TcpStream) -> usize {
    let mut request = vec![0; 16 * 1024];
    stream.read(&mut request).await.unwrap_or(0)
}

fn events(count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": "x"})).collect()
}

/// The receiver may have taken it, and a request that comes twice under one number could not be told from two attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_ends_without_an_answer_is_one_failed_attempt() {
    let world = World::embedded().await;
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let receiver = Raw::serve(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(usize::from(read(&mut stream).await > 0), Ordering::SeqCst);
            let _written = stream.write_all(ANSWER).await;
            counted.fetch_add(usize::from(read(&mut stream).await > 0), Ordering::SeqCst);
        }
    });
    let receiver = receiver.await;
    let url = format!("http://{}/", receiver.address());
    world.api.register(&url, &json!({"max_retries": 2, "retry_delay": 0.1})).await;
    world.api.send_id("first").await;
    assert_eq!(world.api.ended("first").await["attempt_count"], 1);
    world.api.send_id("second").await;
    let second = world.api.ended("second").await;
    assert_eq!((&second["status"], &second["attempt_count"]), (&json!("delivered"), &json!(2)));
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_a_new_connection_is_not_repeated_within_its_attempt() {
    let world = World::embedded().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let receiver = Raw::serve(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            read(&mut stream).await;
        }
    });
    let receiver = receiver.await;
    let url = format!("http://{}/", receiver.address());
    world.api.deliver("e", &url, &json!({"max_retries": 1})).await;
    assert_eq!(world.api.ended("e").await["status"], "failed");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_nobody_uses_are_closed_after_a_while() {
    let world = World::embedded().set("POSTHASTE__CONNECTIONS__IDLE", "0.5").await;
    let before = world.app.connections();
    world.register("/", &json!({})).await;
    world.api.send(&events(50)).await;
    world.api.wait_for_deliveries("delivered", 50).await;
    eventually(LONG, async || (world.app.connections() <= before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_hosts_there_are_no_more_connections_are_kept_than_the_setting_says() {
    const KEPT: usize = 4;
    let world = World::embedded().set("POSTHASTE__CONNECTIONS__KEPT", "4").set("POSTHASTE__CONNECTIONS__IDLE", "600").await;
    let before = world.app.connections();
    let mut receivers = Vec::new();
    for number in 0..20 {
        let receiver = Receiver::start().await;
        let name = format!("host.{number}");
        world.api.deliver(&name, &receiver.url("/"), &json!({})).await;
        assert_eq!(world.api.ended(&name).await["status"], "delivered");
        receivers.push(receiver);
    }
    eventually(LONG, async || (world.app.connections() <= before + KEPT).then_some(())).await;
    assert!(world.app.connections() > before, "some are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_host_no_more_unused_connections_are_kept_than_the_setting_says() {
    const KEPT: usize = 4;
    let setup = World::embedded().set("POSTHASTE__LIMITS__ENDPOINT_IN_FLIGHT", "4").set("POSTHASTE__CONNECTIONS__IDLE", "600");
    let world = setup.await;
    let before = world.app.connections();
    let gate = Gate::closed();
    let behind = gate.clone();
    world.receiver.rule("/", move |_| Reply::status(204).behind(&behind));
    world.register("/", &json!({"in_flight": 20})).await;
    world.api.send(&events(20)).await;
    eventually(LONG, async || (world.receiver.peak("/") == 20).then_some(())).await;
    gate.open();
    world.api.wait_for_deliveries("delivered", 20).await;
    eventually(LONG, async || (world.app.connections() <= before + KEPT).then_some(())).await;
    assert!(world.app.connections() > before, "some are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_another_connection_has_overtaken_is_given_up_all_the_same() {
    let authority = Authority::new();
    let world = World::embedded().set("POSTHASTE__TLS__CA_FILES", authority.file().to_str().unwrap()).await;
    let (acceptor, gate) = (authority.identity(&["127.0.0.1"]).acceptor("http/1.1"), Gate::closed());
    let connections = Arc::new(AtomicUsize::new(0));
    let (opened, counted) = (gate.clone(), Arc::clone(&connections));
    // The first connection answers when the gate opens, and all others never shake hands.
    let receiver = Raw::serve(move |stream| {
        let (acceptor, gate, number) = (acceptor.clone(), opened.clone(), counted.fetch_add(1, Ordering::SeqCst));
        async move {
            if number > 0 {
                std::future::pending::<()>().await;
            }
            let mut stream = acceptor.accept(stream).await.expect("TLS");
            let mut request = vec![0; 16 * 1024];
            while matches!(stream.read(&mut request).await, Ok(1..)) {
                gate.passed().await;
                let _written = stream.write_all(ANSWER).await;
            }
        }
    });
    let receiver = receiver.await;
    let url = format!("https://{}/", receiver.address());
    world.api.register(&url, &json!({"max_retries": 1, "timeout": 3})).await;
    for count in [1, 2] {
        world.api.send_id(&count.to_string()).await;
        eventually(LONG, async || (connections.load(Ordering::SeqCst) == count).then_some(())).await;
    }
    assert_eq!(world.app.connections(), 2);
    gate.open();
    world.api.wait_for_deliveries("delivered", 2).await;
    eventually(LONG, async || (world.app.connections() <= 1).then_some(())).await;
}
