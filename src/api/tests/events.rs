use serde_json::json;

use super::{ACME, ADMIN, World};

const PATH: &str = "/api/webhooks/events";

#[tokio::test]
async fn a_single_event_is_taken_in_with_its_bytes_and_its_id_answered() {
    let world = World::default();
    let answer = world.post(PATH, r#" {"id":"e1","event_type":"order.created","data":{"b":1.0, "a":[1e3,12345678901234567890]}} "#).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({"id": "e1", "ids": ["e1"]}));
    let accepted = world.door.accepted.lock().expect("a lock");
    assert_eq!(accepted[0].data(), r#"{"b":1.0,"a":[1e3,12345678901234567890]}"#);
    assert_eq!(&*accepted[0].key.tenant, "default");
}

#[tokio::test]
async fn a_missing_id_is_made() {
    let world = World::default();
    assert_eq!(world.post(PATH, r#"{"event_type":"a","data":null}"#).await.json()["id"], "made");
}

#[tokio::test]
async fn an_array_keeps_bytes_and_order_and_the_same_id_twice_is_one_event() {
    let world = World::default();
    let answer = world
        .post(PATH, r#"[{"id":"e1","event_type":"a","data":1.0},{"id":"e2","event_type":"a","data":"é\u00e9"},{"id":"e1","event_type":"a","data":3}]"#)
        .await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({"ids": ["e1", "e2", "e1"]}));
    let accepted = world.door.accepted.lock().expect("a lock");
    assert_eq!(accepted.iter().map(crate::model::event::Event::data).collect::<Vec<_>>(), ["1.0", "\"é\\u00e9\""]);
}

#[tokio::test]
async fn one_wrong_element_refuses_all_and_every_wrong_one_is_named() {
    let world = World::default();
    let body = r#"[{"id":"e1","event_type":"a","data":1},{"id":"e2","event_type":"a b","data":1},7,{"event_type":"a"}]"#;
    assert_eq!(world.post(PATH, body).await.problem(400), ["events[1].event_type", "events[2]", "events[3].data"]);
    assert!(world.door.accepted.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn a_wrong_single_event_names_its_field() {
    let world = World::default();
    for (body, field) in [
        (r#"{"id":"e","data":1}"#, "event_type"),
        (r#"{"id":"","event_type":"a","data":1}"#, "id"),
        (r#"{"id":"e","event_type":"a"}"#, "data"),
        (r#"{"id":"e","event_type":"a","data":1,"timestamp":"now"}"#, "timestamp"),
        (r#"{"id":"e","event_type":"a","data":1,"tenant":"a/b"}"#, "tenant"),
        ("[]", "events"),
    ] {
        assert_eq!(world.post(PATH, body).await.problem(400), [field], "{body}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_refused_with_line_and_column() {
    let world = World::default();
    for body in ["", "{", "{\"id\":\n x}", "[{\"id\": ]", "[1,", "\"text\"", "[1] 2"] {
        let answer = world.post(PATH, body).await;
        assert!(answer.problem(400).is_empty(), "{body}");
    }
    assert!(world.post(PATH, "[\n{\"id\": ]").await.body.contains("line 2 column"));
    assert!(world.post(PATH, "{\"id\":\n x}").await.body.contains("line 2 column"));
}

#[tokio::test]
async fn a_size_over_a_limit_is_413_and_names_the_limit() {
    let world = World::default();
    let large = format!(r#"{{"id":"e","event_type":"a","data":"{}"}}"#, "x".repeat(1000));
    let answer = world.post(PATH, &large).await;
    assert_eq!(answer.problem(413), ["event"]);
    assert!(answer.body.contains("limits.max_event_bytes is 1000"), "{}", answer.body);
    let answer = world.post(PATH, &format!(r#"[{{"id":"ok","event_type":"a","data":1}},{large}]"#)).await;
    assert_eq!(answer.problem(413), ["events[1]"]);
    let answer = world.post(PATH, &"x".repeat(100_001)).await;
    assert_eq!(answer.problem(413), ["body"]);
    assert!(answer.body.contains("http.max_body_bytes (100000 bytes)"), "{}", answer.body);
    assert!(world.door.accepted.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn an_array_holds_a_thousand_events_and_no_more() {
    let world = World::default();
    let array = |length: usize| {
        let events: Vec<_> = (0..length).map(|number| format!(r#"{{"id":"{number}","event_type":"a","data":1}}"#)).collect();
        format!("[{}]", events.join(","))
    };
    assert_eq!(world.post(PATH, &array(1000)).await.status, 202);
    assert_eq!(world.door.accepted.lock().expect("a lock").len(), 1000);
    let answer = world.post(PATH, &array(1001)).await;
    answer.problem(400);
    assert!(answer.body.contains("1000 events"), "{}", answer.body);
    let all_wrong = format!("[{}]", vec!["7"; 1000].join(","));
    assert_eq!(world.post(PATH, &all_wrong).await.problem(400).len(), 101);
}

#[tokio::test]
async fn a_bound_token_sets_the_tenant_and_refuses_another() {
    let world = World::with_tokens();
    let event = r#"{"id":"e","event_type":"a","data":1}"#;
    assert_eq!(world.with(ACME, "POST", PATH, event).await.status, 202);
    assert_eq!(&*world.door.accepted.lock().expect("a lock")[0].key.tenant, "acme");
    let other = r#"{"id":"e","event_type":"a","data":1,"tenant":"other"}"#;
    assert_eq!(world.with(ACME, "POST", PATH, other).await.problem(400), ["tenant"]);
    assert_eq!(world.with(ADMIN, "POST", PATH, other).await.status, 202);
}
