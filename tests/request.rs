//! The request that a receiver gets: its line, its headers and its body.

mod attempts;
mod own_headers;

use serde_json::json;

use crate::harness::{Received, Reply, both_modes};

const EVENT: &str =
    r#"{"version":"1.0","source":"shop","timestamp":1763757296.12,"data":{"b":[1, 2],"a":null},"event_type":"order.created","id":"e-1"}"#;

/// What becomes of it.
const BODY: &str = concat!(
    r#"{"id":"e-1","event_type":"order.created","data":{"b":[1,2],"a":null},"#,
    r#""timestamp":1763757296.12,"source":"shop","version":"1.0"}"#
);

/// The only value of a header.
fn only<'a>(request: &'a Received, name: &str) -> &'a str {
    let values: Vec<_> = request.headers.get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].to_str().expect("text")
}

both_modes! {
    async fn it_is_a_post_to_the_url_with_its_path_and_query(setup: Setup) {
        let world = setup.await;
        for path in ["/hooks/a?token=x&y=%20z", "/", "/a%2Fb//c"] {
            world.register(path, &json!({})).await;
        }
        world.api.send_id("e").await;
        let requests = world.receiver.wait_for(3).await;
        assert!(requests.iter().all(|request| request.method == "POST"));
        let mut paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/", "/a%2Fb//c", "/hooks/a?token=x&y=%20z"]);
        assert_eq!(only(&requests[0], "host"), format!("127.0.0.1:{}", world.receiver.port()));
    }

    async fn the_body_is_compact_json_with_its_keys_in_order(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        for door in world.doors() {
            let id = format!("{door:?}");
            world.enqueue(door, &[EVENT.replace("e-1", &id)]).await;
            let request = world.arrived(&id).await;
            assert_eq!(request.text(), BODY.replace("e-1", &id));
            assert_eq!(only(&request, "content-length"), request.body.len().to_string());
            assert!(request.headers.get("transfer-encoding").is_none());
        }
    }

    async fn every_header_is_there_once_with_its_value(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        for door in world.doors() {
            let id = format!("{door:?}!\"~");
            world.enqueue(door, &[json!({"id": id, "event_type": "order.item/added_1-2", "data": 1}).to_string()]).await;
            let request = world.arrived(&id).await;
            assert_eq!(only(&request, "content-type"), "application/json");
            assert_eq!(only(&request, "user-agent"), concat!("Posthaste/", env!("CARGO_PKG_VERSION")));
            assert_eq!(only(&request, "x-webhook-event"), "order.item/added_1-2");
            assert_eq!(only(&request, "x-webhook-attempt"), "1");
            assert_eq!(only(&request, "webhook-id"), id);
            let seconds: i64 = only(&request, "x-webhook-timestamp").parse().expect("a number");
            assert!((request.wall.timestamp() - 2..=request.wall.timestamp()).contains(&seconds), "{seconds} {}", request.wall);
            assert_eq!(only(&request, "webhook-timestamp"), seconds.to_string());
            for signature in ["x-webhook-signature", "webhook-signature"] {
                only(&request, signature);
            }
            world.settled().await;
            let delivery = &world.api.deliveries("event_type=order.item/added_1-2&limit=1").await[0];
            assert_eq!(only(&request, "x-webhook-delivery"), delivery["id"]);
            assert!(request.headers.get("x-webhook-test").is_none());
        }
    }

    async fn all_endpoints_of_an_event_get_the_same_bytes_and_deliveries_of_their_own(setup: Setup) {
        let world = setup.await;
        for number in 0..5 {
            world.register(&format!("/{number}"), &json!({})).await;
        }
        world.api.send(&json!([{"id": "e", "event_type": "a", "data": {"é": 1}}, {"id": "f", "event_type": "a", "data": 1}])).await;
        let requests = world.receiver.wait_for(10).await;
        for id in ["e", "f"] {
            let mut bodies: Vec<_> = requests.iter().filter(|request| request.event_id() == id).map(|request| &request.body).collect();
            assert_eq!(bodies.len(), 5);
            bodies.dedup();
            assert_eq!(bodies.len(), 1, "{id}");
        }
        let mut deliveries: Vec<_> = requests.iter().map(|request| request.delivery_id()).collect();
        deliveries.sort_unstable();
        deliveries.dedup();
        assert_eq!(deliveries.len(), 10);
    }

    async fn redirects_are_not_followed_and_are_failed_attempts(setup: Setup) {
        let world = setup.await;
        let elsewhere = world.receiver.url("/elsewhere");
        let statuses = [300, 301, 302, 303, 307, 308];
        for status in statuses {
            let path = format!("/{status}");
            world.receiver.script(&path, [Reply::with_header(status, "Location", &elsewhere)]);
            world.register(&path, &json!({"max_retries": 1})).await;
        }
        world.api.send_id("e").await;
        let failed = world.api.wait_for_deliveries("failed", statuses.len()).await;
        let mut answered: Vec<_> = failed.iter().map(|delivery| delivery["response_status"].as_u64().expect("a number")).collect();
        answered.sort_unstable();
        assert_eq!(answered, statuses.map(u64::from));
        assert!(world.receiver.requests_to("/elsewhere").is_empty());
        assert_eq!(world.receiver.count(), statuses.len());
    }
}
