//! Door 2 answers 400, or 413 for size, and names the field. Nothing of a refused request is kept.

use serde_json::{Value, json};

use crate::harness::api::Answered;
use crate::harness::both_modes;

const EVENTS: &str = "/api/webhooks/events";
const LIMIT: usize = 256 * 1024;

/// An event of that many bytes.
fn event_of(id: &str, bytes: usize) -> String {
    let bare = format!(r#"{{"id":"{id}","event_type":"a","data":""}}"#);
    bare.replace(r#":""}"#, &format!(r#":"{}"}}"#, "x".repeat(bytes - bare.len())))
}

/// The fields that a problem names.
fn named(answer: &Answered, status: u16) -> Vec<String> {
    assert_eq!((answer.status, answer.content_type.as_str()), (status, "application/problem+json"), "{}", answer.text);
    assert_eq!(answer.json["status"], status);
    let errors = answer.json["errors"].as_array().map_or(&[][..], Vec::as_slice);
    errors.iter().map(|error| error["field"].as_str().expect("text").to_owned()).collect()
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn with(field: &str, value: &Value) -> String {
    let mut event = json!({"id": "e", "event_type": "a", "data": 1});
    event[field] = value.clone();
    event.to_string()
}

fn without(field: &str) -> String {
    let mut event = json!({"id": "e", "event_type": "a", "data": 1});
    event.as_object_mut().expect("an object").remove(field);
    event.to_string()
}

/// Bodies with the field that is wrong in each.
fn wrong() -> Vec<(String, &'static str)> {
    let mut wrong = vec![
        (without("event_type"), "event_type"),
        (without("data"), "data"),
        (format!(r#"{{"id":"e","event_type":"a","data":{}}}"#, nested(513)), "data"),
        (format!(r#"{{"id":"e","event_type":"a","data":{}}}"#, nested(100_000)), "data"),
        (r#"{"id":"e","event_type":"a","data":1,"timestamp":1e999}"#.to_owned(), "timestamp"),
    ];
    for id in [json!(7), json!(""), json!("x".repeat(256)), json!("a b"), json!("é"), json!("a\n"), json!("\u{7f}")] {
        wrong.push((with("id", &id), "id"));
    }
    for event_type in [json!(7), json!(null), json!(""), json!("x".repeat(256)), json!("a b"), json!("é"), json!("a:b"), json!("*")] {
        wrong.push((with("event_type", &event_type), "event_type"));
    }
    for (field, value) in [("timestamp", json!("now")), ("source", json!(1)), ("version", json!(1.0)), ("tenant", json!(""))] {
        wrong.push((with(field, &value), field));
    }
    wrong
}

both_modes! {
    async fn a_wrong_field_is_answered_with_400_and_its_name(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        for (body, field) in wrong() {
            let answer = world.api.post_text(EVENTS, &body).await;
            assert_eq!(named(&answer, 400), [field], "{}: {}", &body[..body.len().min(100)], answer.text);
        }
        assert_eq!((world.rows("webhook_events").await, world.receiver.count()), (0, 0));
    }

    async fn what_is_no_json_object_is_answered_with_400(setup: Setup) {
        let world = setup.await;
        for body in ["", "nonsense", "7", "\"e\"", "{", r#"{"id":"e","event_type":"a","data":1}}"#, "[1]", "[[]]", "[]", "[{}", r#"[["e","a",1,null,null,null,null]]"#] {
            let answer = world.api.post_text(EVENTS, body).await;
            named(&answer, 400);
        }
        assert_eq!(world.rows("webhook_events").await, 0);
    }

    async fn one_wrong_event_refuses_its_array_and_is_named(setup: Setup) {
        let world = setup.await;
        let good = r#"{"id":"good","event_type":"a","data":1}"#;
        let body = format!("[{good},{},{}]", with("event_type", &json!("a b")), without("data"));
        let answer = world.api.post_text(EVENTS, &body).await;
        assert_eq!(named(&answer, 400), ["events[1].event_type", "events[2].data"]);
        assert_eq!(world.rows("webhook_events").await, 0);
    }

    async fn an_event_over_256_kib_is_answered_with_413_and_one_that_just_fits_goes_out(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        world.api.post_text(EVENTS, &event_of("fits", LIMIT)).await.expect(202);
        assert_eq!(named(&world.api.post_text(EVENTS, &event_of("big", LIMIT + 1)).await, 413), ["event"]);
        let array = format!("[{},{}]", event_of("small", 100), event_of("big", LIMIT + 1));
        assert_eq!(named(&world.api.post_text(EVENTS, &array).await, 413), ["events[1]"]);
        assert!(world.arrived("fits").await.body.len() > LIMIT);
        world.settled().await;
        assert_eq!((world.rows("webhook_events").await, world.receiver.count()), (1, 1));
    }

    async fn the_limit_of_size_is_a_setting(setup: Setup) {
        let world = setup.set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "200").await;
        world.register("/a", &json!({})).await;
        world.api.post_text(EVENTS, &event_of("fits", 200)).await.expect(202);
        named(&world.api.post_text(EVENTS, &event_of("big", 201)).await, 413);
        world.arrived("fits").await;
    }
}
