//! What the fields of an event may be, and what they are when they are left out. The same through every door.

use posthaste::model::clock;
use serde_json::{Value, json};

use crate::harness::{Door, World, both_modes};

fn now() -> f64 {
    clock::unix_seconds(clock::now())
}

/// Sends events of these fields through every door, and returns the bodies that arrive.
async fn bodies(world: &World, fields: &[Value]) -> Vec<Value> {
    let mut bodies = Vec::new();
    for door in world.doors() {
        let ids: Vec<_> = (0..fields.len()).map(|number| format!("{door:?}-{number}")).collect();
        let with_id = |(id, fields): (&String, &Value)| {
            let mut event = json!({"id": id, "event_type": "a", "data": 1});
            event.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
            event.to_string()
        };
        let events: Vec<_> = ids.iter().zip(fields).map(with_id).collect();
        world.enqueue(door, &events).await;
        for id in &ids {
            bodies.push(world.arrived(id).await.json());
        }
    }
    bodies
}

/// Sends events through every door, and checks that each of them arrives under its id and type.
async fn assert_accepted(world: &World, id_and_type: impl Fn(Door) -> Vec<(String, String)>) {
    for door in world.doors() {
        let named = id_and_type(door);
        let event = |(id, event_type): &(String, String)| json!({"id": id, "event_type": event_type, "data": 1}).to_string();
        world.enqueue(door, &named.iter().map(event).collect::<Vec<_>>()).await;
        for (id, event_type) in &named {
            let request = world.arrived(id).await;
            assert_eq!((&request.json()["id"], &request.json()["event_type"]), (&json!(id), &json!(event_type)));
            assert_eq!(request.header("x-webhook-event"), event_type);
        }
    }
}

both_modes! {
    async fn what_is_left_out_has_its_default(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let before = now();
        for body in bodies(&world, &[json!({})]).await {
            assert_eq!((&body["source"], &body["version"]), (&json!(""), &json!("1.0")));
            let timestamp = body["timestamp"].as_f64().expect("a number");
            assert!((before - 0.001..=now()).contains(&timestamp), "{before} {timestamp}");
        }
        let default_tenant = world.number("SELECT count(*) AS number FROM webhook_deliveries WHERE tenant = 'default'");
        world.settled().await;
        assert_eq!(default_tenant.await, i64::try_from(world.doors().len()).expect("few enough"));
    }

    async fn timestamp_source_and_version_pass_through(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let given = [
            json!({"timestamp": 1763757296.12, "source": "shop", "version": "1.0"}),
            json!({"timestamp": 1732140800.000001, "source": "Läden \"Süd\"\n", "version": "2024-10-01"}),
            json!({"timestamp": 0.1, "source": "", "version": ""}),
            json!({"timestamp": 1763757296, "source": "日本", "version": "v2"}),
        ];
        let given_again = given.iter().cycle();
        for (body, given) in bodies(&world, &given).await.iter().zip(given_again) {
            assert_eq!((&body["source"], &body["version"]), (&given["source"], &given["version"]));
            assert_eq!(body["timestamp"].as_f64(), given["timestamp"].as_f64());
        }
    }

    async fn unknown_fields_are_ignored(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        for body in bodies(&world, &[json!({"unknown": {"deep": [1, {}]}, "Data": 2, "retries": 7, "": null})]).await {
            let fields: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!((fields.len(), &body["data"]), (6, &json!(1)), "{body}");
        }
    }

    async fn an_id_is_1_to_255_visible_ascii_characters(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let visible: String = ('!'..='~').collect();
        assert_accepted(&world, |door| {
            // Each door needs ids of its own, or the second would bring the same events.
            let (one, fill) = if door == Door::List { ("a", "f") } else { ("z", "g") };
            [one.to_owned(), format!("{visible}{door:?}"), fill.repeat(255)].map(|id| (id, "a".to_owned())).into()
        })
        .await;
    }

    async fn an_event_type_is_1_to_255_letters_digits_and_marks(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let all: String = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain("_-./".chars()).collect();
        let types = ["a".to_owned(), ".".to_owned(), all, "t".repeat(255)];
        assert_accepted(&world, |door| {
            types.iter().enumerate().map(|(number, event_type)| (format!("{door:?}{number}"), event_type.clone())).collect()
        })
        .await;
    }

    async fn data_is_any_json_value(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let values = [json!(null), json!(true), json!(0), json!(-1.5), json!(""), json!("x"), json!([]), json!({}), json!([[], {"": {}}])];
        let given: Vec<_> = values.iter().map(|data| json!({"data": data})).collect();
        for (body, wanted) in bodies(&world, &given).await.iter().zip(values.iter().cycle()) {
            assert_eq!(&body["data"], wanted);
        }
    }
}
