//! `Idempotency-Key`: a request that is sent again is answered as it was, and enqueues nothing again.

use std::collections::HashSet;

use serde_json::json;

use crate::harness::world::launch;
use crate::harness::{LONG, Postgres, Redis, Stores, World, both_modes, eventually, watchdog};

const EVENTS: &str = "/api/webhooks/events";
const EVENT: &str = r#"{"event_type": "a", "data": {"n": 1.0}}"#;

/// Sends a request with that key, and answers its id.
async fn send(world: &World, key: &str) -> String {
    let answer = world.api.with_key(key).post_text(EVENTS, EVENT).await.expect(202);
    answer["id"].as_str().expect("an id").to_owned()
}

fn files_hold(world: &World, text: &str) -> bool {
    let Stores::Embedded { file } = &world.stores else { return false };
    let holds = |name: &str| {
        std::fs::read(file.with_file_name(name)).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    ["posthaste.sqlite", "posthaste.sqlite-wal"].into_iter().any(holds)
}

both_modes! {
    async fn the_same_request_again_has_the_same_answer_and_enqueues_nothing(setup: Setup) {
        let mut world = setup.await;
        world.register("/", &json!({})).await;
        let body = r#"[{"event_type":"a","data":1}, {"event_type":"a","data":1}, {"id":"own","event_type":"a","data":2}]"#;
        let first = world.api.with_key("order-1042").post_text(EVENTS, body).await.expect(202);
        assert_eq!((first["ids"].as_array().expect("ids").len(), &first["ids"][2]), (3, &json!("own")));
        let one = send(&world, "order-1043").await;
        for _ in 0..3 {
            assert_eq!(world.api.with_key("order-1042").post_text(EVENTS, body).await.expect(202), first);
            assert_eq!(send(&world, "order-1043").await, one);
        }
        // Spelled as the draft has it.
        assert_eq!(world.api.with_key("\"order-1042\"").post_text(EVENTS, body).await.expect(202), first);
        world.receiver.wait_for(4).await;
        world.settled().await;
        world.start_again().await;
        assert_eq!(world.api.with_key("order-1042").post_text(EVENTS, body).await.expect(202), first);
        assert_eq!((world.rows("webhook_events").await, world.receiver.counts().len()), (4, 4));
        // Without a key each is another event.
        let ids: HashSet<_> = [world.api.post_text(EVENTS, EVENT).await.expect(202), world.api.post_text(EVENTS, EVENT).await.expect(202)]
            .map(|answer| answer["id"].to_string())
            .into();
        assert_eq!(ids.len(), 2);
    }

    async fn another_body_with_the_same_key_is_422_and_enqueues_nothing(setup: Setup) {
        let world = setup.await;
        let id = send(&world, "k").await;
        for other in [r#"{"event_type":"a","data":{"n":1.0}}"#, r#"[{"event_type": "a", "data": {"n": 1.0}}]"#, r#"{"event_type":"b","data":1}"#] {
            let answer = world.api.with_key("k").post_text(EVENTS, other).await;
            assert_eq!((answer.status, &*answer.content_type), (422, "application/problem+json"), "{}", answer.text);
            assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains("new key")), "{}", answer.text);
        }
        assert_eq!((send(&world, "k").await, world.rows("webhook_events").await), (id, 1));
    }

    async fn what_was_refused_is_not_remembered(setup: Setup) {
        let world = setup.set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "1000").await;
        let api = world.api.with_key("k");
        api.post_text(EVENTS, "{").await.expect(400);
        api.post_text(EVENTS, r#"{"event_type":"a b","data":1}"#).await.expect(400);
        api.post(EVENTS, &json!({"event_type": "a", "data": "x".repeat(1000)})).await.expect(413);
        assert_eq!(world.rows("webhook_idempotency_keys").await, 0);
        send(&world, "k").await;
    }

    async fn a_bad_key_is_400_and_says_what_to_do(setup: Setup) {
        let world = setup.await;
        let long = "x".repeat(256);
        for key in ["", "two words", "\"open", &long] {
            let answer = world.api.with_key(key).post_text(EVENTS, EVENT).await;
            assert_eq!((answer.status, &answer.json["errors"][0]["field"]), (400, &json!("Idempotency-Key")), "{}", answer.text);
            let message = answer.json["errors"][0]["message"].as_str().expect("a message");
            assert!(message.contains("1 to 255 visible ASCII characters"), "{message}");
        }
        let twice = world.api.client.post(format!("{}{EVENTS}", world.app.url())).header("content-type", "application/json");
        let twice = twice.header("idempotency-key", "a").header("idempotency-key", "a").body(EVENT).send().await.expect("an answer");
        assert_eq!(twice.status(), 400);
        assert_eq!(world.rows("webhook_events").await, 0);
    }

    async fn a_key_is_one_tokens(setup: Setup) {
        let tokens = ["one-token-0123456789", "two-token-0123456789"];
        let mut world = setup.set("POSTHASTE__HTTP__TOKENS", &tokens.join(",")).await;
        let mut ids = HashSet::new();
        for _ in 0..2 {
            for token in tokens {
                world.api = world.api.with_token(token);
                ids.insert(send(&world, "k").await);
            }
        }
        assert_eq!(ids.len(), 2);
    }

    async fn nobody_who_reads_the_database_learns_a_key(setup: Setup) {
        let world = setup.await;
        send(&world, "nobody-may-read-this").await;
        let hashes = "SELECT count(*) AS number FROM webhook_idempotency_keys WHERE length(key) = 32 AND length(body) = 32";
        assert_eq!(world.number(hashes).await, 1);
        assert!(!files_hold(&world, "nobody-may-read-this"));
    }

    async fn a_key_is_forgotten_when_its_time_is_over(setup: Setup) {
        let world = setup.set("POSTHASTE__RETENTION__IDEMPOTENCY_KEYS", "0.5").set("POSTHASTE__RETENTION__INTERVAL", "0.1").await;
        let first = send(&world, "k").await;
        eventually(LONG, async || (world.rows("webhook_idempotency_keys").await == 0).then_some(())).await;
        assert_ne!(send(&world, "k").await, first);
    }

    async fn a_key_whose_time_is_over_is_a_new_one_though_it_is_still_there(setup: Setup) {
        let world = setup.set("POSTHASTE__RETENTION__IDEMPOTENCY_KEYS", "0.5").set("POSTHASTE__RETENTION__INTERVAL", "86400").await;
        let first = send(&world, "k").await;
        eventually(LONG, async || (send(&world, "k").await != first).then_some(())).await;
        assert_eq!((world.rows("webhook_idempotency_keys").await, world.rows("webhook_events").await), (1, 2));
    }

    async fn a_request_whose_answer_was_lost_with_its_process_is_sent_again_safely(setup: Setup) {
        let quick = [("POSTHASTE__REDIS__LEASE", "1"), ("POSTHASTE__SWEEP__INTERVAL", "0.2")];
        let mut world = quick.iter().fold(setup, |setup, (name, value)| setup.set(name, value)).await;
        world.register("/", &json!({})).await;
        world.app.kill();
        // It ends as by `kill -9`, after the commit and before the answer.
        let mut dying = launch(&world.stores, "all", &[("FAILPOINTS".into(), "accepted=return".into())]).start().await;
        assert_eq!(dying.api().with_key("k").try_post(EVENTS, EVENT).await, None);
        assert!(!dying.exited().await.success());
        assert_eq!((world.rows("webhook_events").await, world.rows("webhook_idempotency_keys").await), (1, 1));
        world.start_again().await;
        let id = send(&world, "k").await;
        world.arrived(&id).await;
        world.settled().await;
        assert_eq!((world.rows("webhook_events").await, world.receiver.counts().len()), (1, 1));
    }

    async fn the_command_line_has_keys_for_one_event_and_for_a_file(setup: Setup) {
        let world = setup.await;
        let one = ["--type", "a", "--data", "1", "--idempotency-key", "k"];
        let first = world.events_send(&one).await;
        let again = world.events_send(&one).await;
        assert_eq!((first.code, &first.stdout), (Some(0), &again.stdout), "{first:?} {again:?}");
        let other = world.events_send(&["--type", "a", "--data", "2", "--idempotency-key", "k"]).await;
        assert!(other.code == Some(1) && other.stderr.contains("(422)"), "{other:?}");
        let file = watchdog::directory("events").join("events.jsonl");
        std::fs::write(&file, "{\"event_type\":\"a\",\"data\":1}\n".repeat(1500)).expect("our own directory");
        let path = file.display().to_string();
        let sent = world.events_send(&["--file", &path, "--json", "--idempotency-key", "k"]).await;
        let again = world.events_send(&["--file", &path, "--json", "--idempotency-key", "k"]).await;
        assert_eq!((sent.code, &sent.stdout), (Some(0), &again.stdout), "{}", sent.stderr);
        assert_eq!(world.rows("webhook_events").await, 1501);
        let wrong = world.events_send(&["--type", "a", "--data", "1", "--idempotency-key", "a\nb"]).await;
        assert!(wrong.code == Some(2) && wrong.stderr.contains("--idempotency-key"), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_over_two_processes_one_is_taken_in() {
    let world = World::production().await;
    world.register("/", &json!({})).await;
    let second = world.another("api").await;
    let other = second.api();
    for round in 0..10 {
        let key = format!("k{round}");
        let calls = (0..16).map(|number| if number % 2 == 0 { world.api.with_key(&key) } else { other.with_key(&key) });
        let answers = futures_util::future::join_all(calls.map(|api| async move { api.post_text(EVENTS, EVENT).await })).await;
        assert!(answers.iter().all(|answer| [202, 409].contains(&answer.status)), "{answers:?}");
        let taken: HashSet<_> = answers.iter().filter(|answer| answer.status == 202).map(|answer| answer.json["id"].to_string()).collect();
        assert_eq!(taken.len(), 1, "{answers:?}");
    }
    assert_eq!(world.rows("webhook_events").await, 10);
    world.receiver.wait_for(10).await;
    world.settled().await;
    assert_eq!(world.receiver.counts().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_process_takes_it_in_another_answers_409() {
    let world = World::production().await;
    let second = world.another("api").await;
    let other = second.api();
    let application = world.sql().await;
    // Whoever takes in this event waits for this transaction.
    let held = "BEGIN; INSERT INTO webhook_events (id, event_type, data) VALUES ('held', 'a', '1')";
    application.batch_execute(held).await.expect("the server runs");
    let body = r#"{"id":"held","event_type":"a","data":1}"#;
    let waits = "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let meanwhile = async {
        eventually(LONG, async || (world.number(waits).await == 1).then_some(())).await;
        let answer = other.with_key("k").post_text(EVENTS, body).await;
        assert_eq!((answer.status, &*answer.content_type), (409, "application/problem+json"), "{}", answer.text);
        assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains("in a moment")), "{}", answer.text);
        application.batch_execute("ROLLBACK").await.expect("the server runs");
    };
    let api = world.api.with_key("k");
    let (first, ()) = tokio::join!(api.post_text(EVENTS, body), meanwhile);
    let first = first.expect(202);
    assert_eq!(other.with_key("k").post_text(EVENTS, body).await.expect(202), first);
    assert_eq!(first, json!({"id": "held", "ids": ["held"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_requests_with_a_key_are_answered_and_their_events_go_out_when_it_is_back() {
    let redis = Redis::private().await;
    let world = World::production().over(Stores::on(Postgres::shared().await, &redis).await).await;
    world.register("/", &json!({})).await;
    redis.stop().await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(send(&world, &format!("k{number}")).await);
    }
    assert_eq!((world.rows("webhook_events").await, world.receiver.count()), (20, 0));
    redis.start().await;
    for id in &ids {
        world.arrived(id).await;
    }
    assert_eq!(send(&world, "k0").await, ids[0]);
    world.settled().await;
    assert_eq!(world.receiver.count(), 20);
}
