//! Door 4: `posthaste events send`.

use serde_json::json;

use crate::harness::{Launch, both_modes, watchdog};

const DATA: &str = r#"{"b":1.0,"a":1e3,"n":12345678901234567890,"é":"\u00e9"}"#;

both_modes! {
    async fn an_event_sent_from_the_command_line_goes_out_with_its_bytes(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let done = world.events_send(&["--type", "order.created", "--data", DATA]).await;
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
        let request = world.arrived(done.stdout.trim()).await;
        assert!(request.text().contains(&format!(r#""event_type":"order.created","data":{DATA},"#)), "{}", request.text());
    }

    async fn every_field_can_be_given(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"tenant": "acme"})).await;
        let fields = ["--id", "e", "--source", "shop", "--version", "2", "--timestamp", "1763757296.12", "--tenant", "acme"];
        let done = world.events_send(&[&["--type", "a", "--data", "null"], &fields[..]].concat()).await;
        assert_eq!((done.code, done.stdout.trim()), (Some(0), "e"), "{done:?}");
        assert_eq!(
            world.arrived("e").await.text(),
            r#"{"id":"e","event_type":"a","data":null,"timestamp":1763757296.12,"source":"shop","version":"2"}"#
        );
    }

    async fn a_file_of_events_goes_out_line_by_line(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let lines: Vec<_> = (0..1500).map(|number| format!(r#"{{"id":"e{number}","event_type":"a","data":{DATA}}}"#)).collect();
        let file = watchdog::directory("events").join("events.jsonl");
        std::fs::write(&file, lines.join("\n")).expect("our own directory");
        let done = world.events_send(&["--file", &file.display().to_string()]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let requests = world.receiver.wait_for(1500).await;
        assert!(requests.iter().all(|request| request.text().contains(DATA)));
        world.settled().await;
        assert_eq!((world.receiver.counts().len(), world.receiver.count()), (1500, 1500));
    }

    async fn what_is_no_event_is_refused_with_exit_1_and_its_field(setup: Setup) {
        let world = setup.await;
        let done = world.events_send(&["--type", "a b", "--data", "1"]).await;
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
        assert!(done.stderr.contains("event_type: "), "{}", done.stderr);
        assert_eq!(world.rows("webhook_events").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2_and_an_api_that_is_away_with_1() {
    let send = |args: &[&'static str]| Launch::new(["events", "send"].into_iter().chain(args.iter().copied()));
    let nobody = "http://127.0.0.1:1";
    for args in
        [&["--type", "a"][..], &["--data", "1"], &["--type", "a", "--data", "nonsense"], &["--file", "/does/not/exist"], &["--what"]]
    {
        let done = send(args).set("POSTHASTE_SERVER", nobody).finish().await;
        assert_eq!(done.code, Some(2), "{args:?} {done:?}");
    }
    let done = send(&["--type", "a", "--data", "1"]).set("POSTHASTE_SERVER", nobody).finish().await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains(nobody), "{}", done.stderr);
}
