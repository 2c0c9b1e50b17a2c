//! A server that is away, and one that refuses.

use serde_json::json;

use super::Tail;
use crate::harness::{LONG, Launch, World, eventually, places};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for_and_nothing_is_missed() {
    let mut world = World::embedded().await;
    let mut tail = Tail::begin(&world, "begin", &["events", "tail"]).await;
    world.app.kill();
    eventually(LONG, async || tail.0.stderr().contains("waiting until it is back").then_some(())).await;
    world.start_again().await;
    for id in ["a", "b"] {
        world.api.send(&json!({"id": id, "event_type": "a", "data": 1})).await;
    }
    tail.has(3).await;
    assert_eq!(tail.ids(), ["begin", "a", "b"]);
    let said = tail.0.stderr();
    let lines: Vec<_> = said.lines().collect();
    assert!(matches!(lines[..], [away, "it is back"] if away.starts_with("cannot reach ")), "{said}");
    tail.0.signal("INT");
    assert_eq!(tail.0.exited().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_be_answered_ends_with_1_and_what_to_do() {
    let world = World::embedded().set("POSTHASTE__HTTP__TOKENS", "one-0123456789abcdef").await;
    for list in ["events", "deliveries"] {
        let tail = |args: &[&'static str]| Launch::new([list, "tail"].into_iter().chain(args.iter().copied()));
        let wrong = tail(&[]).set("POSTHASTE_SERVER", &world.app.url()).set("POSTHASTE_TOKEN", "two-0123456789abcdef").finish().await;
        assert!(wrong.code == Some(1) && wrong.stderr.contains("--token"), "{}", wrong.stderr);
        let nobody = tail(&[]).set("POSTHASTE_SERVER", &format!("http://127.0.0.1:{}", places::free_port())).finish().await;
        assert!(nobody.code == Some(1) && nobody.stderr.contains("posthaste dev"), "{}", nobody.stderr);
        let field = tail(&["--type", "no spaces"]).set("POSTHASTE_SERVER", &world.app.url()).set("POSTHASTE_TOKEN", "one-0123456789abcdef");
        let field = field.finish().await;
        assert!(field.code == Some(1) && field.stderr.contains("event_type"), "{}", field.stderr);
        assert_eq!(tail(&["-n", "501"]).finish().await.code, Some(2));
    }
    let status = Launch::new(["deliveries", "tail", "--status", "lost"]).finish().await;
    assert!(status.code == Some(2) && status.stderr.contains("retrying"), "{}", status.stderr);
}
