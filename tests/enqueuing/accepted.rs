//! Door 2: one event or an array of up to 1,000, answered with their ids.

use serde_json::{Value, json};

use crate::harness::both_modes;

const EVENTS: &str = "/api/webhooks/events";

fn events(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": number})).collect()
}

/// UUIDv7: its version, its variant, and its first 48 bits are now.
fn assert_is_new_uuid_v7(id: &str) {
    let uuid = uuid::Uuid::try_parse(id).expect("a UUID");
    assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122), "{id}");
    let (seconds, _) = uuid.get_timestamp().expect("it has a time").to_unix();
    let now = posthaste::model::clock::now().timestamp();
    assert!((now - 60..=now).contains(&i64::try_from(seconds).expect("few enough")), "{id}");
}

both_modes! {
    async fn one_event_is_answered_with_202_and_its_id_and_goes_out(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let answer = world.api.post(EVENTS, &events(1)[0]).await.expect(202);
        assert_eq!(answer["ids"], json!(["e0"]));
        assert_eq!(world.arrived("e0").await.json()["data"], 0);
    }

    async fn an_array_of_a_thousand_is_answered_with_its_ids_in_order_and_goes_out(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let answer = world.api.post(EVENTS, &events(1000).into()).await.expect(202);
        let ids: Vec<_> = (0..1000).map(|number| format!("e{number}")).collect();
        assert_eq!(answer["ids"], json!(ids));
        world.receiver.wait_for(1000).await;
        world.settled().await;
        assert_eq!((world.receiver.counts().len(), world.receiver.count()), (1000, 1000));
    }

    async fn an_array_of_more_than_a_thousand_is_refused_whole(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let answer = world.api.post(EVENTS, &events(1001).into()).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/problem+json"), "{}", answer.text);
        assert!(answer.text.contains("1000"), "{}", answer.text);
        assert_eq!(world.rows("webhook_events").await, 0);
    }

    async fn an_id_that_is_left_out_is_made_as_a_uuid_v7(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        let alone = world.api.post(EVENTS, &json!({"event_type": "a", "data": 1})).await.expect(202);
        let bare = json!({"event_type": "a", "data": 2});
        let several = world.api.post(EVENTS, &json!([bare, {"id": "own", "event_type": "a", "data": 3}, bare])).await.expect(202);
        assert_eq!(several["ids"][1], "own");
        let made: Vec<_> = [&alone["ids"][0], &several["ids"][0], &several["ids"][2]].map(|id| id.as_str().expect("text")).into();
        for id in &made {
            assert_is_new_uuid_v7(id);
            assert_eq!(world.arrived(id).await.json()["id"], **id);
        }
        assert!(made[0] != made[1] && made[1] != made[2]);
        world.settled().await;
        assert_eq!(world.receiver.count(), 4);
    }
}
