//! Every reason for which an entry is no event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{dead_letters, good, world_with_an_endpoint};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn text(entries: &[&str]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry.as_bytes().to_vec()).collect()
}

/// An event with that field, or without it.
fn with(field: &str, value: Option<Value>) -> Vec<u8> {
    let mut event = json!({"id": "bad", "event_type": "a", "data": 1});
    match value {
        Some(value) => event[field] = value,
        None => drop(event.as_object_mut().expect("an object").remove(field)),
    }
    event.to_string().into_bytes()
}

fn with_data(data: &str) -> Vec<u8> {
    format!(r#"{{"id":"bad","event_type":"a","data":{data}}}"#).into_bytes()
}

/// Pushes each with a good entry before and after it, and checks that the good ones are delivered and the others kept,
/// each as it was and with a reason that says so.
async fn assert_dead(entries: &[Vec<u8>], reason: &str) {
    let world = world_with_an_endpoint().await;
    let mut pushed = vec![good("e")];
    for (number, entry) in entries.iter().enumerate() {
        pushed.extend([entry.clone(), good(&format!("e{number}"))]);
    }
    world.push_bytes(&pushed).await;
    world.receiver.wait_for(entries.len() + 1).await;
    world.settled().await;
    assert_eq!((world.receiver.count(), world.receiver.counts().len()), (entries.len() + 1, entries.len() + 1));
    let letters = dead_letters(&world).await;
    assert_eq!(letters.len(), entries.len(), "{letters:?}");
    for (letter, entry) in letters.iter().zip(entries) {
        assert_eq!(letter["entry"].as_str().expect("text"), String::from_utf8_lossy(entry));
        let found = letter["reason"].as_str().expect("text");
        assert!(found.contains(reason), "{found} for {}", letter["entry"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json() {
    let entries = ["nonsense", "", " ", "{", r#"{"id":"bad","event_type":"a","data":}"#, r#"{"id":"bad","event_type":"a","data":1} x"#];
    assert_dead(&text(&entries), "invalid JSON").await;
    let spelled = [r#"{"id":"bad","event_type":"a","data":01}"#, r#"{"id":"bad","event_type":"a","data":NaN}"#, "{'id':'bad'}"];
    assert_dead(&text(&spelled), "invalid JSON").await;
    let raw = "{\"id\":\"bad\",\"event_type\":\"a\",\"data\":\"a raw \u{1} or\nline break\"}";
    assert_dead(&text(&[raw]), "invalid JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_object() {
    assert_dead(&text(&["[]", "[1,2]", "7", "\"text\"", "null", "true"]), "not a JSON object").await;
    // An array is for door 2 alone.
    let event = String::from_utf8(good("bad")).expect("UTF-8");
    assert_dead(&text(&[&format!("[{event}]")]), "not a JSON object").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_utf_8_is_kept_byte_for_byte() {
    let entry = [&br#"{"id":"bad","event_type":"a","data":""#[..], b"\xff\xfe", br#""}"#].concat();
    assert_dead(&[entry.clone(), b"\x00\x80".to_vec()], "not UTF-8").await;
    let world = world_with_an_endpoint().await;
    world.push_bytes(&[entry.clone(), good("after")]).await;
    world.arrived("after").await;
    world.settled().await;
    let letter = &dead_letters(&world).await[0];
    assert_eq!(STANDARD.decode(letter["entry_base64"].as_str().expect("text")).expect("base64"), entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_missing_or_wrong() {
    let mut entries = vec![with("id", None)];
    for id in [json!(7), json!(null), json!(""), json!("a b"), json!("é"), json!("x".repeat(256)), json!("a\n"), json!("\u{0}")] {
        entries.push(with("id", Some(id)));
    }
    assert_dead(&entries, "id: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_type_that_is_missing_or_wrong() {
    let mut entries = vec![with("event_type", None)];
    for event_type in [json!(7), json!(null), json!(""), json!("a b"), json!("é"), json!("x".repeat(256)), json!("a:b"), json!("*")] {
        entries.push(with("event_type", Some(event_type)));
    }
    assert_dead(&entries, "event_type: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_missing_or_too_deep() {
    let too_deep = ["513", "5000", "100000"].map(|levels| with_data(&nested(levels.parse().expect("a number"))));
    assert_dead(&[&[with("data", None)], &too_deep[..]].concat(), "data: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_fields_that_are_wrong() {
    for (field, values) in [
        ("timestamp", [json!("now"), json!([]), json!(true)]),
        ("source", [json!(1), json!({}), json!("\u{0}")]),
        ("version", [json!(1.0), json!([]), json!("\u{0}")]),
        ("tenant", [json!(1), json!(""), json!("a/b")]),
    ] {
        let entries = values.map(|value| with(field, Some(value)));
        assert_dead(&entries, &format!("{field}: ")).await;
    }
}
