//! The one file of the embedded mode.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{LONG, Launch, Receiver, Stores, World, eventually, watchdog};

async fn refused(file: &Path) -> String {
    let finished = Launch::dev(file).finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(file.to_str().unwrap()), "it names the file: {}", finished.stderr);
    finished.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_file_fails_and_the_first_goes_on() {
    let world = World::embedded().await;
    let Stores::Embedded { file } = &world.stores else { panic!("embedded") };
    let said = refused(file).await;
    assert!(said.contains("another posthaste"), "{said}");
    world.register("/", &json!({})).await;
    world.api.send_id("e").await;
    assert_eq!(world.api.ended("e").await["status"], "delivered");
}

#[tokio::test]
async fn a_file_that_cannot_be_made_or_is_none_ends_it() {
    let directory = watchdog::directory("sqlite");
    refused(&directory).await;
    refused(&directory.join("missing").join("posthaste.sqlite")).await;
    let other = directory.join("other");
    std::fs::write(&other, "this is not a database, and long enough to be looked at".repeat(100)).unwrap();
    refused(&other).await;
    assert!(std::fs::read_to_string(&other).unwrap().starts_with("this is not a database"), "it is left as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_its_owners_alone_since_secrets_are_in_it() {
    let world = World::embedded().await;
    world.register("/", &json!({})).await;
    let Stores::Embedded { file } = &world.stores else { panic!("embedded") };
    let names = file.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().path());
    for path in names.filter(|path| path.to_str().unwrap().contains("posthaste.sqlite")) {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_new_events_and_loses_none_that_were_accepted() {
    let file = watchdog::directory("sqlite").join("posthaste.sqlite");
    // Where a write would exceed the limit it fails, as it does on a full disk, once nobody listens to the signal.
    let small = Launch::dev(&file).after("trap '' XFSZ; ulimit -f 4000").start().await;
    let receiver = Receiver::start().await;
    small.api().register(&receiver.url("/"), &json!({"event_types": ["wanted"]})).await;
    let data = "x".repeat(200_000);
    let mut accepted = 0;
    let refused = loop {
        let event = json!({"id": format!("e{accepted}"), "event_type": "unwanted", "data": data});
        let answer = small.api().post("/api/webhooks/events", &event).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "the limit does not hold");
    };
    assert_eq!((refused.status, &*refused.content_type), (503, "application/problem+json"), "{}", refused.text);
    assert_eq!(small.api().get("/health").await.status, 200);
    drop(small);

    let process = Launch::dev(&file).start().await;
    process.api().send(&json!({"id": "last", "event_type": "wanted", "data": 1})).await;
    receiver.wait_for(1).await;
    let again = json!({"id": "e0", "event_type": "wanted", "data": Value::Null});
    process.api().send(&again).await;
    process.api().send(&json!({"id": "after", "event_type": "wanted", "data": 1})).await;
    eventually(LONG, async || receiver.requests().iter().any(|request| request.event_id() == "after").then_some(())).await;
    assert!(receiver.requests().iter().all(|request| request.event_id() != "e0"), "it was kept, so this is the same event");
}
