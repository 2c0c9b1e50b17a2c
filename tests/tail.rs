//! Watching events and deliveries as they come, with the program itself.

mod deliveries;
mod server;

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::{LONG, Launch, Process, World, both_modes, eventually};

/// A command that watches.
struct Tail(Process);

impl Tail {
    /// Starts it, and waits until it has begun: it shows an event of that type and id, which was sent before.
    async fn begin(world: &World, event_type: &str, args: &[&str]) -> Self {
        world.api.send(&json!({"id": event_type, "event_type": event_type, "data": 1})).await;
        if args[0] == "deliveries" {
            world.api.ended(event_type).await;
        }
        let args = args.iter().copied().chain(["--json", "-n", "1"]);
        let tail = Self(Launch::new(args).set("POSTHASTE_SERVER", &world.app.url()).spawn());
        tail.has(1).await;
        tail
    }

    fn items(&self) -> Vec<Value> {
        let text = self.0.stdout();
        // The last line may not be whole yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.items().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until it has shown so many.
    async fn has(&self, count: usize) -> Vec<Value> {
        eventually(LONG, async || Some(self.items()).filter(|items| items.len() >= count)).await
    }

    /// Ends it as people do.
    async fn interrupt(mut self) {
        self.0.signal("INT");
        assert_eq!((self.0.exited().await.code(), &*self.0.stderr()), (Some(0), ""));
    }
}

/// Sends one event after the other, each after the one before was shown, for so many looks.
async fn looks(world: &World, tail: &Tail, count: usize) {
    for number in 0..count {
        let id = format!("look-{number}");
        world.api.send(&json!({"id": id, "event_type": "look", "data": 1})).await;
        eventually(LONG, async || tail.ids().contains(&id).then_some(())).await;
    }
}

both_modes! {
    async fn events_are_shown_once_as_they_are_accepted_newest_last(setup: Setup) {
        let world = setup.await;
        for id in ["old", "older"] {
            world.api.send_id(id).await;
        }
        let paid = Tail::begin(&world, "order.paid", &["events", "tail", "--type", "order.paid"]).await;
        let all = Tail::begin(&world, "begin", &["events", "tail"]).await;
        for (id, event_type, tenant) in [("a", "order.created", "default"), ("b", "order.paid", "acme"), ("a", "order.paid", "acme")] {
            world.api.send(&json!({"id": id, "event_type": event_type, "data": 1, "tenant": tenant})).await;
        }
        let shown = all.has(4).await;
        let named: Vec<_> = shown.iter().map(|event| format!("{}/{}", event["tenant"].as_str().unwrap(), event["id"].as_str().unwrap())).collect();
        assert_eq!(named, ["default/begin", "default/a", "acme/b", "acme/a"]);
        let listed = world.api.get("/api/webhooks/events?event_type=order.created").await.expect(200)["items"][0].clone();
        for field in ["id", "created_at", "source", "timestamp", "version"] {
            assert_eq!(shown[1][field], listed[field], "{field}");
        }
        paid.has(3).await;
        assert_eq!(paid.ids(), ["order.paid", "b", "a"]);
        all.interrupt().await;
        paid.interrupt().await;
    }

    async fn in_a_burst_of_thousands_nothing_is_missed_and_nothing_is_shown_twice(setup: Setup) {
        let world = setup.await;
        let tail = Tail::begin(&world, "begin", &["events", "tail"]).await;
        let array = |part: usize| -> Value { (0..1000).map(|n| json!({"id": format!("{part}-{n}"), "event_type": "a", "data": n})).collect() };
        let arrays: Vec<_> = (0..6).map(array).collect();
        futures_util::future::join_all(arrays.iter().map(|array| world.api.send(array))).await;
        tail.has(6001).await;
        // Thorough looks, which see all of it once more, are among these.
        looks(&world, &tail, 12).await;
        let ids = tail.ids();
        let different: HashSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), different.len()), (6013, 6013));
        tail.interrupt().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_visible_late_is_shown_all_the_same() {
    let world = World::production().await;
    let tail = Tail::begin(&world, "begin", &["events", "tail"]).await;
    // A transaction that was open for so long gives its events a time in the past.
    for (id, seconds) in [("late", 3), ("very-late", 120)] {
        let insert = format!(
            "INSERT INTO webhook_events (id, event_type, data, created_at) VALUES ('{id}', 'a', '1', now() - interval '{seconds} s')"
        );
        world.execute(&insert).await;
        eventually(LONG, async || tail.ids().contains(&id.to_owned()).then_some(())).await;
    }
    assert_eq!(tail.ids(), ["begin", "late", "very-late"]);
    tail.interrupt().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_people_there_are_aligned_columns_with_one_heading() {
    let world = World::embedded().await;
    for number in 0..12 {
        world.api.send_id(&format!("event-{number}")).await;
    }
    let tail = Launch::new(["events", "tail"]).set("POSTHASTE_SERVER", &world.app.url()).spawn();
    eventually(LONG, async || tail.stdout().contains("event-11 ").then_some(())).await;
    world.api.send_id("the-next-one").await;
    eventually(LONG, async || tail.stdout().contains("the-next-one ").then_some(())).await;
    let text = tail.stdout();
    let first: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    let latest: Vec<_> = (2..12).map(|number| format!("event-{number}")).collect();
    assert_eq!(first, [&["ID"], &*latest.iter().map(String::as_str).collect::<Vec<_>>(), &["the-next-one"]].concat(), "{text}");
    assert!(!text.contains('\x1b'), "colours are for terminals");
}
