//! `timeout` is one deadline for everything.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Raw, Reply, both_modes};

const TIMEOUT: f64 = 0.4;
/// For machines that have much else to do.
const SLACK: f64 = 4.0;

/// Writes `start` and then a byte now and then, so that something always moves.
async fn drip(mut stream: TcpStream, start: &'static [u8]) {
    let mut request = [0; 4096];
    let _read = stream.read(&mut request).await;
    let mut moving = stream.write_all(start).await.is_ok();
    while moving {
        tokio::time::sleep(Duration::from_millis(20)).await;
        moving = stream.write_all(b"x").await.is_ok();
    }
}

fn assert_timed_out(delivery: &Value) {
    assert_eq!((&delivery["status"], &delivery["response_status"]), (&json!("failed"), &Value::Null), "{delivery}");
    assert!(delivery["error_message"].as_str().unwrap().starts_with("timeout"), "{delivery}");
    let took = delivery["response_time"].as_f64().unwrap();
    assert!((TIMEOUT..TIMEOUT + SLACK).contains(&took), "{delivery}");
}

both_modes! {
    async fn connecting_tls_head_and_body_share_one_deadline(setup: Setup) {
        let world = setup.await;
        let receiver = &world.receiver;
        receiver.script("/head", [Reply::hang()]);
        receiver.script("/body", [Reply::hang_in_body(200)]);
        let deaf = Raw::deaf().await;
        let silent = Raw::serve(async |stream| {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let slow_head = Raw::serve(|stream| drip(stream, b"HTTP/1.1 200 OK\r\nX-Long: ")).await;
        let slow_body = Raw::serve(|stream| drip(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")).await;
        let cases = [
            ("connect", format!("http://{}/", deaf.address())),
            ("tls", format!("https://{}/", silent.address())),
            ("head", receiver.url("/head")),
            ("body", receiver.url("/body")),
            ("slow.head", format!("http://{}/", slow_head.address())),
            ("slow.body", format!("http://{}/", slow_body.address())),
        ];
        for (name, url) in &cases {
            world.api.deliver(name, url, &json!({"max_retries": 1, "timeout": TIMEOUT})).await;
        }
        for (name, _) in &cases {
            assert_timed_out(&world.api.ended(name).await);
        }
    }

    async fn an_answer_within_the_deadline_counts_however_slow(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::status(200).after(Duration::from_millis(600))]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 1, "timeout": 20})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!(delivery["status"], "delivered");
        assert!(delivery["response_time"].as_f64().unwrap() >= 0.6, "{delivery}");
    }

    async fn the_deadline_is_30_seconds_where_the_endpoint_does_not_say(setup: Setup) {
        let world = setup.await;
        let id = world.register("/", &json!({})).await;
        assert_eq!(world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200)["timeout"], 30.0);
    }
}
