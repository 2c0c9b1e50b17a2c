//! The API as an OpenAPI 3.1 document, made of what stands at the handlers, and the page that shows it.
//!
//! [`Described`] makes the router and the document from one place, so neither knows a call that the other does not. What
//! all calls have in common is added here: access, and the problems that their extractors answer with.

mod examples;
mod page;
pub(super) mod params;
pub(super) mod problems;
mod receivers;
pub(super) mod shapes;

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use page::Page;

use super::calls::CALLS;
use crate::model::token::Role;

/// Routes with their descriptions.
pub(super) type Described = OpenApiRouter<Published>;

/// In the order in which a reader meets them.
const TAGS: [(&str, &str); 7] = [
    ("Events", "What applications enqueue: one thing that happened."),
    ("Endpoints", "URLs that subscribed to event types, with their secrets and limits."),
    ("Deliveries", "One event owed to one endpoint each, with the attempts that were made."),
    ("Dead letters", "What could not be processed, kept until somebody enqueues it again or drops it."),
    ("Runs", "Bulk work that goes on in the background: many deliveries retried, many dead letters enqueued again."),
    ("Statistics", "Totals."),
    ("Operating", "For monitoring, and this description. No token is needed."),
];

/// The document and the page, made when somebody asks first.
#[derive(Clone)]
pub(super) struct Published(Arc<Inner>);

struct Inner {
    described: utoipa::openapi::OpenApi,
    /// Whether calls need a token.
    secured: bool,
    document: OnceLock<Bytes>,
    page: OnceLock<Page>,
}

impl Published {
    pub(super) fn new(described: utoipa::openapi::OpenApi, secured: bool) -> Self {
        Self(Arc::new(Inner { described, secured, document: OnceLock::new(), page: OnceLock::new() }))
    }

    pub(super) fn document(&self) -> Value {
        document(&self.0.described, self.0.secured)
    }
}

pub(super) fn routes() -> Described {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(docs))
}

/// This description
///
/// OpenAPI 3.1, with a `webhooks` section for the request that receivers get.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "Operating",
    responses((status = 200, description = "The document", body = shapes::Document)))]
async fn openapi(State(published): State<Published>) -> impl IntoResponse {
    let body = published.0.document.get_or_init(|| published.document().to_string().into()).clone();
    ([(header::CONTENT_TYPE, "application/json")], body)
}

/// This description as a page
#[utoipa::path(get, path = "/docs", operation_id = "docs", tag = "Operating",
    responses((status = 200, description = "A page that needs nothing from elsewhere", body = String, content_type = "text/html; charset=utf-8")))]
async fn docs(State(published): State<Published>) -> impl IntoResponse {
    let page = published.0.page.get_or_init(|| Page::new(&published.document())).clone();
    let headers: [(HeaderName, String); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".into()),
        (header::CONTENT_SECURITY_POLICY, page.policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (header::REFERRER_POLICY, "no-referrer".into()),
    ];
    (headers, page.html)
}

fn document(described: &utoipa::openapi::OpenApi, secured: bool) -> Value {
    // The description is plain data with text for keys: it always becomes JSON.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    document["openapi"] = "3.1.1".into();
    document["info"] = json!({
        "title": "Posthaste",
        "summary": "The outbound webhook delivery worker: events in, signed POSTs out, recorded and retried",
        "description": include_str!("openapi/intro.md"),
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
    });
    document["tags"] = TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect();
    document["webhooks"] = receivers::section();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation, secured);
        }
    }
    let components = &mut document["components"];
    components["responses"] = problems::all();
    components["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer", "description": "One of `http.tokens`, with one of the roles that the call names."}});
    for (name, shape) in shapes::by_hand() {
        components["schemas"][name] = shape;
    }
    for (name, schema) in components["schemas"].as_object_mut().into_iter().flatten() {
        if let Some(example) = examples::of(name) {
            schema["examples"] = json!([example]);
        }
    }
    document
}

/// Adds to an operation what its place and its parts entail.
fn complete(path: &str, method: &str, operation: &mut Value, secured: bool) {
    let mut answers = Vec::new();
    if path.starts_with("/api/") {
        answers.extend(["500", "503"]);
        if secured {
            // Each of the roles will do.
            operation["security"] = roles(path, method).iter().map(|role| json!({"token": [role.name()]})).collect();
            answers.extend(["401", "403"]);
        }
    }
    if let Some(body) = operation.get_mut("requestBody") {
        // One that may be left out is not `null`.
        not_null(&mut body["content"]["application/json"]["schema"]);
        answers.extend(["400", "413", "415"]);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        answers.push("400");
        if parameter["in"] == "path" {
            answers.push("404");
        }
        as_text(path, parameter);
    }
    for status in answers {
        if operation["responses"].get(status).is_none() {
            operation["responses"][status] = problems::reference(status);
        }
    }
}

/// A parameter is text: one that may be left out is not `null`. The cursor of one list is none of another.
fn as_text(path: &str, parameter: &mut Value) {
    let list = path.rsplit('/').next().unwrap_or_default();
    if parameter["name"] == "cursor" {
        parameter["schema"]["format"] = format!("cursor-of-{list}").into();
    }
    let schema = &mut parameter["schema"];
    if let Some(kinds) = schema["type"].as_array().cloned() {
        schema["type"] = kinds.into_iter().find(|kind| kind != "null").unwrap_or_default();
    }
    not_null(schema);
}

fn not_null(schema: &mut Value) {
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array).cloned() {
        *schema = choices.into_iter().find(|choice| choice["type"] != "null").unwrap_or_default();
    }
}

/// Those that may make a call.
fn roles(path: &str, method: &str) -> &'static [Role] {
    let found = CALLS.iter().find(|call| call.path == path && call.method.eq_ignore_ascii_case(method));
    found.map_or(&[], |call| call.needs.roles())
}
