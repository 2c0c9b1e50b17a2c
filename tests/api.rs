//! The HTTP API, through the socket: every call with right and with wrong input.

mod cursors;
mod deliveries;
mod endpoints;
mod event;
mod event_list;
mod events;
mod manners;
mod openapi;
mod pages;
mod stats;
mod tenants;

use crate::harness::api::Answered;

/// Asserts that this is a problem with that status, and returns the fields that it names.
#[track_caller]
fn problem(answer: &Answered, status: u16) -> Vec<String> {
    assert_eq!((answer.status, &*answer.content_type), (status, "application/problem+json"), "{}", answer.text);
    assert_eq!(answer.json["status"], status, "{}", answer.text);
    for member in ["type", "title", "detail"] {
        assert!(answer.json[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {}", answer.text);
    }
    let errors = answer.json["errors"].as_array().cloned().unwrap_or_default();
    assert!(errors.iter().all(|error| error["message"].is_string()), "{}", answer.text);
    errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
}

/// The names of an object's fields.
fn fields(object: &serde_json::Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}
