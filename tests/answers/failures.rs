//! What is no answer is a failed attempt, and its error says what went wrong.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Raw, Reply, both_modes, places};

fn assert_failed(delivery: &Value, error: &str) {
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("failed"), &json!(1)), "{delivery}");
    assert_eq!((&delivery["response_status"], &delivery["response_body"]), (&Value::Null, &Value::Null), "{delivery}");
    let message = delivery["error_message"].as_str().unwrap();
    assert!(message.starts_with(error), "{delivery}");
    assert!(delivery["response_time"].as_f64().unwrap() >= 0.0, "{delivery}");
}

both_modes! {
    async fn the_error_says_how_the_connection_failed(setup: Setup) {
        let world = setup.await;
        let receiver = &world.receiver;
        receiver.script("/drop", [Reply::drop_connection()]);
        receiver.script("/half", [Reply::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")]);
        receiver.script("/head", [Reply::raw(b"HTTP/1.1 200 OK\r\nContent-Le")]);
        receiver.script("/noise", [Reply::raw(b"this is not HTTP\r\n\r\n")]);
        let not_tls = Raw::serve(async |mut stream| {
            let _written = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            std::future::pending::<()>().await;
        })
        .await;
        let cases = [
            ("refused", format!("http://127.0.0.1:{}/", places::free_port()), "connection refused"),
            ("reset", receiver.url("/drop"), "connection reset"),
            ("reset.in.body", receiver.url("/half"), "connection reset"),
            ("reset.in.head", receiver.url("/head"), "connection reset"),
            ("not.http", receiver.url("/noise"), "protocol error"),
            ("tls", format!("https://{}/", not_tls.address()), "TLS failure"),
            ("dns", "http://nothing.invalid/".to_owned(), "DNS failure"),
        ];
        for (name, url, _) in &cases {
            world.api.deliver(name, url, &json!({"max_retries": 1})).await;
        }
        for (name, _, error) in &cases {
            assert_failed(&world.api.ended(name).await, error);
        }
    }

    async fn a_name_that_leads_to_a_blocked_address_is_a_failed_attempt(setup: Setup) {
        let world = setup.set("POSTHASTE__GUARD__ALLOW", "192.0.2.0/24").await;
        let url = world.receiver.url("/").replace("127.0.0.1", "localhost");
        world.api.deliver("blocked", &url, &json!({"max_retries": 1})).await;
        assert_failed(&world.api.ended("blocked").await, "blocked address");
        assert_eq!(world.receiver.connections(), 0);
    }

    async fn a_failure_is_retried_as_a_status_is(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::drop_connection(), Reply::status(204)]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 2, "retry_delay": 0.01})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(2)));
        assert!(delivery["attempts"][0]["error_message"].as_str().unwrap().starts_with("connection reset"), "{delivery}");
    }

    async fn an_error_never_shows_the_query_of_a_url(setup: Setup) {
        let world = setup.await;
        let url = format!("http://127.0.0.1:{}/?token=hunter2", places::free_port());
        world.api.deliver("e", &url, &json!({"max_retries": 1})).await;
        let delivery = world.api.ended("e").await;
        assert!(!delivery["error_message"].as_str().unwrap().contains("hunter2"), "{delivery}");
        assert!(!world.app.stderr().contains("hunter2"));
    }
}
