//! `posthaste listen`: a receiver to try things with.

use serde_json::json;

use crate::harness::{LONG, Launch, Process, World, eventually, places};

/// Runs it, and waits until it listens; answers where.
async fn listen(args: &[&str]) -> (Process, String) {
    let port = places::free_port().to_string();
    let args = ["listen", "--port", &port].into_iter().chain(args.iter().copied());
    let process = Launch::new(args).spawn();
    eventually(LONG, async || process.stdout().contains("listening on").then_some(())).await;
    (process, format!("http://127.0.0.1:{port}/hooks"))
}

async fn says(process: &Process, text: &str) {
    eventually(LONG, async || process.stdout().contains(text).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_prints_what_is_signed_with_the_secret_and_refuses_the_rest() {
    let world = World::embedded().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (mut receiver, url) = listen(&["--secret", secret]).await;
    let right = world.api.register(&url, &json!({"secret": secret, "event_types": ["right"], "headers": {"X-Own": "v"}})).await;
    world.api.register(&url, &json!({"secret": "another-secret", "event_types": ["wrong"], "max_retries": 1})).await;
    for (event_type, status, answer) in [("right", "delivered", 204), ("wrong", "failed", 401)] {
        world.api.send(&json!({"id": format!("e-{event_type}"), "event_type": event_type, "data": {"a": "\u{1b}[2J é"}})).await;
        let delivery = world.api.ended(&format!("e-{event_type}")).await;
        assert_eq!((&delivery["status"], &delivery["response_status"]), (&json!(status), &json!(answer)));
    }
    says(&receiver, "POST /hooks  right  e-right  attempt 1  signature right  answered 204\n").await;
    says(&receiver, "POST /hooks  wrong  e-wrong  attempt 1  signature wrong: not of this secret, or changed on the way  answered 401\n")
        .await;
    says(&receiver, r#"  {"id":"e-right","event_type":"right","data":{"a":"\u001b[2J é"},"#).await;
    world.api.post(&format!("/api/webhooks/{}/test", right.id), &json!(null)).await.expect(200);
    says(&receiver, "  attempt 1  test  signature right  answered 204\n").await;
    let diagnosis = world.api.get(&format!("/api/webhooks/{}/diagnose", right.id)).await.expect(200);
    assert_eq!(diagnosis["issues"], json!([]));
    says(&receiver, "HEAD /hooks  answered 204\n").await;
    let unsigned = world.api.client.post(&url).body("a\u{1b}b").send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 401);
    says(&receiver, "POST /hooks  not signed  answered 401\n  a\u{fffd}b\n").await;
    receiver.signal("INT");
    assert_eq!((receiver.exited().await.code(), &*receiver.stderr()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_it_answers_all_with_the_status() {
    let world = World::embedded().await;
    let (receiver, url) = listen(&["--status", "503"]).await;
    world.api.deliver("e", &url, &json!({"max_retries": 1})).await;
    assert_eq!(world.api.ended("e").await["response_status"], 503);
    says(&receiver, "POST /hooks  e  e  attempt 1  answered 503\n").await;
    assert!(receiver.stdout().contains("signatures are not checked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said() {
    let (_first, url) = listen(&[]).await;
    let port = url.trim_end_matches("/hooks").rsplit(':').next().unwrap();
    let taken = Launch::new(["listen", "--port", port]).finish().await;
    assert!(taken.code == Some(1) && taken.stderr.contains(port) && taken.stderr.contains("--port"), "{}", taken.stderr);
    for wrong in [&["listen", "--secret", "whsec_no base64"][..], &["listen", "--secret", "@/nowhere"], &["listen", "--status", "100"]] {
        let finished = Launch::new(wrong.iter().copied()).finish().await;
        assert!(finished.code == Some(2) && finished.stdout.is_empty(), "{wrong:?}: {}", finished.stderr);
    }
}
