//! How much of an answer is read, and how much of it is kept.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Raw, Reply, both_modes};

/// Answers 200 with a body of `bytes` bytes that never ends.
async fn endless(bytes: usize) -> Raw {
    Raw::serve(move |mut stream| async move {
        let mut request = [0; 4096];
        let _read = stream.read(&mut request).await;
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".to_vec();
        answer.resize(answer.len() + bytes, b'x');
        let _written = stream.write_all(&answer).await;
        // Its end would be the body's end.
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

both_modes! {
    async fn at_most_64_kib_of_an_answer_are_read(setup: Setup) {
        let world = setup.await;
        let (enough, too_little) = (endless(65_536).await, endless(65_535).await);
        let url = |raw: &Raw| format!("http://{}/", raw.address());
        world.api.deliver("enough", &url(&enough), &json!({"max_retries": 1, "timeout": 25})).await;
        world.api.deliver("too.little", &url(&too_little), &json!({"max_retries": 1, "timeout": 0.5})).await;
        let delivery = world.api.ended("enough").await;
        assert_eq!((&delivery["status"], &delivery["response_status"]), (&json!("delivered"), &json!(200)), "{delivery}");
        assert_eq!(delivery["response_body"], "x".repeat(1000));
        let waited = world.api.ended("too.little").await;
        assert!(waited["error_message"].as_str().unwrap().starts_with("timeout"), "{waited}");
    }

    async fn the_first_thousand_characters_are_kept_whatever_their_length_in_bytes(setup: Setup) {
        let world = setup.await;
        let cases = [
            ("short", "as it is", "as it is".to_owned()),
            ("empty", "", String::new()),
            ("two.bytes", &*"é".repeat(1500), "é".repeat(1000)),
            ("four.bytes", &*"🐎".repeat(1001), "🐎".repeat(1000)),
            ("exact", &*"a".repeat(1000), "a".repeat(1000)),
        ];
        for (name, body, _) in &cases {
            let path = format!("/{name}");
            world.receiver.script(&path, [Reply::full(200, &[], body.as_bytes())]);
            world.api.deliver(name, &world.receiver.url(&path), &json!({})).await;
        }
        for (name, _, kept) in &cases {
            assert_eq!(world.api.ended(name).await["response_body"], **kept, "{name}");
        }
    }

    async fn what_a_database_cannot_keep_spoils_nothing(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::full(200, &[], b"a\0b\xff\xfec")]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["status"], delivery["response_body"].as_str().unwrap().starts_with("ab")), (&json!("delivered"), true));
    }

    async fn a_failed_attempt_keeps_its_answer_too(setup: Setup) {
        let world = setup.await;
        world.receiver.script("/", [Reply::full(500, &[], b"out of paper")]);
        world.api.deliver("e", &world.receiver.url("/"), &json!({"max_retries": 1})).await;
        let delivery = world.api.ended("e").await;
        assert_eq!((&delivery["response_status"], &delivery["response_body"]), (&json!(500), &json!("out of paper")));
        assert_eq!(delivery["attempts"][0]["response_body"], "out of paper");
    }
}
