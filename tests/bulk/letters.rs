//! Dead letters: looked at, enqueued again, dropped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::path_of;
use crate::harness::world::launch;
use crate::harness::{LONG, Launch, Setup, Stores, World, both_modes, eventually};

const LETTERS: &str = "/api/webhooks/dead-letters";
const REQUEUE: &str = "/api/webhooks/dead-letters/requeue";

fn event(id: &str) -> Vec<u8> {
    json!({"id": id, "event_type": "a", "data": {"id": id}}).to_string().into_bytes()
}

impl World {
    /// Makes dead letters of these entries, oldest first, as workers make them.
    async fn bury(&mut self, entries: &[Vec<u8>]) {
        match &self.stores {
            Stores::Production { .. } => {
                let mut pipe = redis::pipe();
                for (entry, at) in entries.iter().zip(1_763_757_296..) {
                    let mut letter = json!({"reason": "it was", "at": f64::from(at), "entry": String::from_utf8_lossy(entry)});
                    if std::str::from_utf8(entry).is_err() {
                        letter["entry_base64"] = STANDARD.encode(entry).into();
                    }
                    pipe.lpush(self.key("webhook_dead_letters"), letter.to_string()).ignore();
                }
                pipe.query_async::<()>(&mut self.redis().await).await.expect("Redis runs");
            }
            Stores::Embedded { .. } => {
                let rows: Vec<_> = entries
                    .iter()
                    .zip(1_763_757_296..)
                    .map(|(entry, at)| format!("('it was', 'bad_field', {at}000000, X'{}')", hex::encode(entry)))
                    .collect();
                self.execute(&format!("INSERT INTO webhook_dead_letters (reason, class, at, entry) VALUES {}", rows.join(","))).await;
                // They are counted when the file is opened.
                self.start_again().await;
            }
        }
    }

    async fn letters(&self) -> Vec<Value> {
        self.api.get(&format!("{LETTERS}?limit=500")).await.expect(200)["items"].as_array().unwrap().clone()
    }

    async fn total(&self) -> Value {
        self.api.get(LETTERS).await.expect(200)["total"].clone()
    }
}

async fn with_letters(setup: Setup, entries: &[Vec<u8>]) -> World {
    let mut world = setup.await;
    world.register("/", &json!({})).await;
    world.bury(entries).await;
    world
}

both_modes! {
    async fn they_are_listed_newest_first_in_pages_that_stay_where_they_are(setup: Setup) {
        let mut entries: Vec<_> = (0..5).map(|number| event(&format!("e{number}"))).collect();
        entries.push(b"\xff\x00".to_vec());
        let mut world = with_letters(setup, &entries).await;
        let first = world.api.get(&format!("{LETTERS}?limit=4")).await.expect(200);
        let items = first["items"].as_array().unwrap();
        assert_eq!((items.len(), &first["total"]), (4, &json!(6)));
        assert_eq!((&items[0]["entry_base64"], &items[0]["size"]), (&json!(STANDARD.encode(b"\xff\x00")), &json!(2)));
        assert_eq!(items[1]["entry"].as_str().unwrap().as_bytes(), event("e4"));
        assert_eq!((&items[1]["reason"], &items[1]["at"]), (&json!("it was"), &json!("2025-11-21T20:35:00.000000Z")));
        world.bury(&[event("new")]).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = world.api.get(&format!("{LETTERS}?limit=4&cursor={cursor}")).await.expect(200);
        let shown: Vec<_> = second["items"].as_array().unwrap().iter().map(|item| item["entry"].as_str().unwrap().to_owned()).collect();
        assert_eq!(shown, [String::from_utf8(event("e1")).unwrap(), String::from_utf8(event("e0")).unwrap()]);
        assert_eq!((&second["next_cursor"], &second["total"]), (&json!(null), &json!(7)));
        let wrong = world.api.get(&format!("{LETTERS}?cursor=x&status=y&limit=0")).await;
        assert_eq!((wrong.status, &*wrong.content_type), (400, "application/problem+json"));
    }

    async fn what_is_an_event_now_is_sent_and_the_rest_stays_with_its_reason(setup: Setup) {
        let world = with_letters(setup, &[event("a"), b"nonsense".to_vec(), event("b"), event("a")]).await;
        let answer = world.api.post(REQUEUE, &json!(null)).await.expect(200);
        let left = world.letters().await;
        assert_eq!((&answer["requeued"], left.len(), &left[0]["entry"]), (&json!(3), 1, &json!("nonsense")));
        assert_eq!(answer["refused"][0]["id"], left[0]["id"]);
        assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("not an event"), "{answer}");
        world.receiver.wait_for(2).await;
        world.settled().await;
        let mut sent: Vec<_> = world.receiver.requests().iter().map(|request| request.event_id().to_owned()).collect();
        sent.sort_unstable();
        assert_eq!((sent, world.total().await), (vec!["a".to_owned(), "b".to_owned()], json!(1)));
    }

    async fn some_are_requeued_and_dropped_by_their_ids(setup: Setup) {
        let entries: Vec<_> = (0..6).map(|number| event(&format!("e{number}"))).collect();
        let world = with_letters(setup, &entries).await;
        let ids: Vec<_> = world.letters().await.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect();
        let answer = world.api.post(REQUEUE, &json!({"ids": [ids[1], "4711"]})).await.expect(200);
        assert_eq!((&answer["requeued"], &answer["refused"][0]["id"]), (&json!(1), &json!("4711")));
        assert_eq!(world.receiver.wait_for(1).await[0].event_id(), "e4");
        let dropped = world.api.delete(&format!("{LETTERS}?id={},{}&id=4711", ids[0], ids[5])).await.expect(200);
        assert_eq!(dropped, json!({"dropped": 2}));
        let left: Vec<_> = world.letters().await.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(left, ids[2..5]);
        assert_eq!(world.api.delete(LETTERS).await.expect(200), json!({"dropped": 3}));
        assert_eq!((world.letters().await.len(), world.total().await, world.receiver.count()), (0, json!(0), 1));
    }

    async fn many_are_requeued_by_a_run(setup: Setup) {
        let entries: Vec<_> = (0..350).map(|number| if number % 7 == 0 { b"nonsense".to_vec() } else { event(&format!("e{number}")) }).collect();
        let world = with_letters(setup, &entries).await;
        let answer = world.api.post(REQUEUE, &json!({})).await.expect(202);
        let run = &answer["run"];
        assert_eq!((&run["kind"], &run["total"], &run["endpoint_id"]), (&json!("requeue_dead_letters"), &json!(350), &json!(null)));
        assert!(path_of(run).len() > 30);
        let done = world.run_is(run, |run| run["status"] == "done").await;
        assert_eq!((&done["done"], &done["refused"]), (&json!(300), &json!(50)));
        world.receiver.wait_for(300).await;
        world.settled().await;
        assert_eq!((world.receiver.count(), world.total().await), (300, json!(50)));
    }

    async fn a_process_that_ends_between_accepting_and_removing_doubles_nothing(setup: Setup) {
        let entries: Vec<_> = (0..250).map(|number| event(&format!("e{number}"))).collect();
        let mut world = with_letters(setup.set("POSTHASTE__REDIS__LEASE", "1").set("POSTHASTE__SWEEP__INTERVAL", "0.2"), &entries).await;
        world.app.terminate();
        world.app.exited().await;
        let env = [("POSTHASTE__REDIS__LEASE", "1"), ("FAILPOINTS", "letters_accepted=1*off->return")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut faulty = launch(&world.stores, "all", &env).start().await;
        let run = faulty.api().post(REQUEUE, &json!({})).await.expect(202)["run"].clone();
        eventually(LONG, async || faulty.status()).await;
        world.start_again().await;
        world.run_is(&run, |run| run["status"] == "done").await;
        eventually(LONG, async || (world.receiver.counts().len() == 250).then_some(())).await;
        world.settled().await;
        assert_eq!((world.total().await, world.rows("webhook_deliveries").await), (json!(0), 250));
    }

    async fn the_command_line_lists_requeues_and_drops(setup: Setup) {
        let entries: Vec<_> = (0..120).map(|number| event(&format!("e{number}"))).chain([b"nonsense".to_vec()]).collect();
        let world = with_letters(setup, &entries).await;
        let command = |args: &[&str]| Launch::new(args.iter().copied()).set("POSTHASTE_SERVER", &world.app.url()).finish();
        let listed = command(&["dead-letters", "list", "--limit", "2"]).await;
        assert!(listed.stdout.contains("nonsense") && listed.stdout.contains("121 dead letters in all"), "{}", listed.stdout);
        let requeued = command(&["dead-letters", "requeue", "--all"]).await;
        assert_eq!((requeued.code, &*requeued.stderr), (Some(0), ""), "{}", requeued.stdout);
        assert!(requeued.stdout.contains("120 dead letters are enqueued again\n1 are still no events"), "{}", requeued.stdout);
        let dropped = command(&["dead-letters", "drop", "--all"]).await;
        assert_eq!((dropped.code, &*dropped.stdout), (Some(0), "1 dead letter dropped\n"));
        assert_eq!(command(&["dead-letters", "drop"]).await.code, Some(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strings_of_others_and_letters_of_any_size_break_nothing() {
    let world = World::production().set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "1000").await;
    world.register("/", &json!({})).await;
    let huge = json!({"id": "huge", "event_type": "a", "data": "é".repeat(2 << 20)}).to_string();
    let large = json!({"id": "large", "event_type": "a", "data": "x".repeat(1500)}).to_string();
    let own = |entry: &str| json!({"reason": "too large", "at": 1_763_757_296.25, "entry": entry}).to_string().into_bytes();
    let strings: [Vec<u8>; 7] =
        [b"".to_vec(), b"\xff\xfe".to_vec(), b"{\"reason\":1}".to_vec(), event("raw"), own(&huge), own(&large), vec![b'z'; 3 << 20]];
    let mut pipe = redis::pipe();
    for string in &strings {
        pipe.lpush(world.key("webhook_dead_letters"), string).ignore();
    }
    pipe.query_async::<()>(&mut world.redis().await).await.expect("Redis runs");
    let letters = world.letters().await;
    let sizes: Vec<_> = letters.iter().map(|letter| letter["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [3 << 20, large.len() as u64, huge.len() as u64, strings[3].len() as u64, 12, 2, 0]);
    assert_eq!((&letters[2]["reason"], &letters[2]["at"]), (&json!("too large"), &json!("2025-11-21T20:34:56.250000Z")));
    assert!(letters[2]["cut"] == true && letters[2]["entry"].as_str().unwrap().starts_with("{\"data\":\"é"), "{}", letters[2]["reason"]);
    assert_eq!((&letters[3]["at"], &letters[3]["cut"]), (&json!(null), &json!(false)));
    let answer = world.api.post(REQUEUE, &json!({})).await.expect(200);
    assert_eq!((&answer["requeued"], answer["refused"].as_array().unwrap().len()), (&json!(1), 6));
    assert!(answer["refused"][2]["reason"].as_str().unwrap().contains(&format!("{} bytes", huge.len())), "{answer}");
    assert_eq!(world.receiver.wait_for(1).await[0].event_id(), "raw");
    assert_eq!(world.api.delete(&format!("{LETTERS}?id={}", letters[0]["id"].as_str().unwrap())).await.expect(200), json!({"dropped": 1}));
    assert_eq!(world.total().await, json!(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_that_was_set_aside_goes_out_when_its_letter_is_requeued() {
    let world = World::production().set("FAILPOINTS", "matching=1*return(bad)->off").await;
    world.register("/", &json!({})).await;
    world.api.send_id("bad").await;
    eventually(LONG, async || (world.total().await == json!(1)).then_some(())).await;
    assert_eq!(world.number("SELECT count(*) AS number FROM webhook_events WHERE set_aside IS NOT NULL").await, 1);
    assert_eq!(world.api.post(REQUEUE, &json!({})).await.expect(200)["requeued"], 1);
    assert_eq!(world.arrived("bad").await.event_id(), "bad");
    world.settled().await;
    assert_eq!((world.total().await, world.receiver.count()), (json!(0), 1));
}
