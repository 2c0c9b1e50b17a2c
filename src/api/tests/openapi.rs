//! The document says what the code does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use axum::http::header;
use serde_json::Value;

use super::{ADMIN, World, request};
use crate::api::{CALLS, REQUEST_TIMEOUT, described};
use crate::model::endpoint::{EndpointDefaults, EndpointDraft};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "options", "trace"];

async fn document(world: &World) -> Value {
    world.get("/openapi.json").await.json()
}

/// Path, method and description of every call.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, item)| item.as_object().expect("methods").iter().map(move |(method, one)| (&**path, &**method, one)));
    all.collect()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The fields of a schema, and those that must be there.
fn fields<'a>(document: &'a Value, schema: &'a Value) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let schema = schema["$ref"].as_str().map_or(schema, |reference| document.pointer(&reference[1..]).expect(reference));
    let mut found = (BTreeSet::new(), BTreeSet::new());
    for part in schema["oneOf"].as_array().into_iter().flatten() {
        found.0.extend(fields(document, part).0);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (all, required) = fields(document, part);
        found.0.extend(all);
        found.1.extend(required);
    }
    found.0.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()));
    found.1.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    found
}

/// The fields that serde says a type has.
fn known_to<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>(r#"{"-": 0}"#).err().expect("no such field").to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_described_call_is_answered_and_methods_that_are_not_described_are_refused() {
    let world = World::default();
    let document = document(&world).await;
    let mut described: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for (path, method, _) in operations(&document) {
        described.entry(path).or_default().insert(method);
    }
    for (path, methods) in described {
        for method in METHODS {
            let called = path.replace("{id}", "1").replace("{endpoint_id}", "1");
            let status = world.send(request(&method.to_uppercase(), &called, None, "")).await.status.as_u16();
            assert_eq!(status != 405, methods.contains(method), "{method} {path} answers {status}");
        }
    }
}

#[tokio::test]
async fn every_call_has_a_summary_a_tag_of_the_list_and_an_id_of_its_own() {
    let document = document(&World::default()).await;
    let tags: Vec<_> = document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut ids = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{method} {path}: operation_id = \"{id}\" is another call's");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no doc comment");
        let tagged = operation["tags"].as_array().is_some_and(|own| own.iter().all(|tag| tags.contains(&tag)));
        assert!(tagged, "{method} {path}: its tag is not in TAGS of src/api/openapi.rs");
    }
}

#[tokio::test]
async fn the_parameters_of_a_call_are_those_that_it_reads() {
    let world = World::default();
    let document = document(&world).await;
    for (path, method, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described: BTreeSet<_> =
            parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().expect("a name")).collect();
        if described.is_empty() {
            continue;
        }
        let called = format!("{}?no-such-parameter=1", path.replace("{id}", "1"));
        let answer = world.send(request(&method.to_uppercase(), &called, None, "{}")).await;
        assert_eq!(answer.problem(400), ["no-such-parameter"], "{method} {path}");
        let answer = answer.json();
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        let read: BTreeSet<_> = message
            .split(": there ")
            .nth(1)
            .and_then(|list| list.split_once(' '))
            .map(|(_, list)| list)
            .expect("a list")
            .split(", ")
            .collect();
        assert_eq!(described, read, "{method} {path}: described and read");
    }
}

#[tokio::test]
async fn bodies_have_the_fields_that_the_code_reads() {
    let document = document(&World::default()).await;
    let schemas = &document["components"]["schemas"];
    let known = known_to::<EndpointDraft>();
    let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
    assert_eq!(names(&schemas["Registration"]["properties"]), known);
    let once = BTreeSet::from(["secret", "tenant"]);
    assert_eq!(names(&schemas["EndpointChange"]["properties"]), &known - &once);
}

#[tokio::test]
async fn examples_of_bodies_are_right_and_those_of_answers_have_the_fields_of_their_schema() {
    let world = World::default();
    let document = document(&world).await;
    let schemas = &document["components"]["schemas"];
    let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
    let draft = |name: &str| serde_json::from_value::<EndpointDraft>(schemas[name]["examples"][0].clone()).expect(name);
    let spec = draft("Registration").into_new(defaults).expect("valid").spec;
    draft("EndpointChange").change(spec).expect("valid");
    assert_eq!(world.post("/api/webhooks/events", &schemas["Events"]["examples"][0].to_string()).await.status, 202);
    for (path, method, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let schema = &answer["content"]["application/json"]["schema"];
            let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) else { continue };
            if name == "Document" {
                continue;
            }
            let example = &schemas[name]["examples"][0];
            assert!(example.is_object(), "{method} {path} {status}: give {name} an example in src/api/openapi/examples.rs");
            let (all, required) = fields(&document, schema);
            assert!(required.is_subset(&names(example)) && names(example).is_subset(&all), "the example of {name}: {example}");
        }
    }
}

#[tokio::test]
async fn tokens_are_described_where_there_are_any() {
    let (open, closed) = (World::default(), World::with_tokens());
    for (world, asked) in [(open, false), (closed, true)] {
        let document = document(&world).await;
        for (path, method, operation) in operations(&document) {
            let wanted = asked && path.starts_with("/api/");
            assert_eq!(operation["security"].is_array(), wanted, "{method} {path}");
            assert_eq!(operation["responses"]["401"].is_object(), wanted, "{method} {path}");
            assert_eq!(operation["responses"]["403"].is_object(), wanted, "{method} {path}");
            let call = CALLS.iter().find(|call| call.path == path && call.method.eq_ignore_ascii_case(method)).expect(path);
            let roles = operation["security"].as_array().into_iter().flatten().map(|one| one["token"][0].as_str().expect("a role"));
            let may: Vec<_> = if wanted { call.needs.roles().iter().map(|role| role.name()).collect() } else { Vec::new() };
            assert_eq!(roles.collect::<Vec<_>>(), may, "{method} {path}");
        }
        assert_eq!(operations(&document).len(), CALLS.len(), "what is described, and what is in src/api/calls.rs");
    }
    let world = World::with_tokens();
    assert_eq!(world.with(ADMIN, "GET", "/docs", "").await.status, 200);
    assert_eq!(world.get("/docs").await.status, 200);
}

#[tokio::test]
async fn the_page_shows_every_call_and_lets_nothing_else_in() {
    let world = World::default();
    let answer = world.get("/docs").await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    let policy = answer.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("http"), "{policy}");
    let document = document(&world).await;
    for (_, _, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert_eq!(answer.body.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        assert!(answer.body.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    for wrong in ["<script", "<link", "<img", " style=", " onclick", "url(", "@import"] {
        assert!(!answer.body.contains(wrong), "{wrong}");
    }
}

#[test]
fn a_worker_alone_describes_its_probes_and_shows_no_page() {
    let world = World::default();
    let mut api = world.api();
    api.calls = None;
    let (router, _) = described(api, REQUEST_TIMEOUT);
    let (_, description) = router.split_for_parts();
    let paths: Vec<_> = description.paths.paths.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/health", "/metrics", "/ready"]);
}
