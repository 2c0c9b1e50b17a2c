//! Problems that calls answer with, each with an example as it is really answered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::api::calls::Needs;
use crate::api::problem::ApiError;
use crate::model::delivery::Status;
use crate::model::problem::Problem;
use crate::model::token::Role;
use crate::ports::{BackendError, RetryError};

/// The answer of calls that cannot be done as things stand.
pub(in crate::api) struct Conflicts;
/// The answer of calls whose key came with something else before.
pub(in crate::api) struct KeyReused;
/// The answer of calls that are not there for everybody.
pub(in crate::api) struct NotThere;
/// The answer of a process that cannot do its work.
pub(in crate::api) struct Unready;

impl IntoResponses for Conflicts {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared("409", "Conflict")
    }
}

impl IntoResponses for KeyReused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared("422", "KeyReused")
    }
}

impl IntoResponses for NotThere {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared("404", "NotFound")
    }
}

impl IntoResponses for Unready {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        shared("503", "NotReady")
    }
}

fn shared(status: &str, name: &str) -> BTreeMap<String, RefOr<Response>> {
    BTreeMap::from([(status.to_owned(), RefOr::Ref(Ref::from_response_name(name)))])
}

/// Refers to the answer that every call has for `status`.
pub(super) fn reference(status: &str) -> Value {
    let name = kinds().into_iter().find(|kind| kind.status == status && kind.name != "NotReady").map_or("Error", |kind| kind.name);
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// `components.responses`
pub(super) fn all() -> Value {
    kinds().into_iter().map(|kind| (kind.name.to_owned(), kind.response())).collect::<serde_json::Map<_, _>>().into()
}

struct Kind {
    name: &'static str,
    status: &'static str,
    description: &'static str,
    example: ApiError,
    header: Option<(&'static str, &'static str)>,
}

impl Kind {
    fn response(&self) -> Value {
        let content =
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": self.example.body()}});
        let mut response = json!({"description": self.description, "content": content});
        if let Some((name, description)) = self.header {
            response["headers"] = json!({name: {"description": description, "schema": {"type": "string"}}});
        }
        response
    }
}

fn kinds() -> Vec<Kind> {
    let retry = Some(("Retry-After", "Seconds to wait before the call is made again."));
    let kind = |name, status, description, example| Kind { name, status, description, example, header: None };
    let invalid = ApiError::Invalid(vec![Problem::new("limit", "must be a whole number from 1 to 500")]);
    let large = "too large: 300000 bytes, and limits.max_event_bytes is 262144";
    let too_large = ApiError::TooLarge { detail: large.into(), errors: vec![Problem::new("event", large)] };
    let away = BackendError::Unavailable { backend: "postgres", address: "127.0.0.1:5432".into(), source: "connection refused".into() };
    let refused = BackendError::Refused { backend: "postgres", source: "a syntax error".into() };
    vec![
        kind(
            "BadRequest",
            "400",
            "Something is wrong with the request. `errors` names every field or parameter, and what would be right",
            invalid,
        ),
        Kind {
            header: Some(("WWW-Authenticate", "`Bearer`, and whether a token was given.")),
            ..kind("Unauthorized", "401", "No token, or one that is not known", ApiError::Unauthorized { token_given: false })
        },
        Kind {
            header: Some(("WWW-Authenticate", "`Bearer`, with `insufficient_scope`.")),
            ..kind(
                "Forbidden",
                "403",
                "The token's role may not make this call",
                ApiError::Forbidden { role: Role::Enqueue, needs: Needs::Read },
            )
        },
        kind("NotFound", "404", "There is no such thing, or the token may not see it", ApiError::NotFound("endpoint")),
        kind("Conflict", "409", "It cannot be done as things stand", RetryError::NotFailed(Status::Delivered).into()),
        kind("TooLarge", "413", "The body is larger than `http.max_body_bytes`, or an event than `limits.max_event_bytes`", too_large),
        kind("KeyReused", "422", "The `Idempotency-Key` came with another body before", ApiError::KeyReused),
        kind("MediaType", "415", "The body is not sent as JSON", ApiError::MediaType),
        kind("Error", "500", "Something went wrong in Posthaste, and was logged", refused.into()),
        Kind { header: retry, ..kind("Unavailable", "503", "A backend is away, or the call took over 30 s: try again", away.into()) },
        Kind {
            header: retry,
            ..kind(
                "NotReady",
                "503",
                "It cannot, and `errors` names what is away",
                ApiError::NotReady(vec![Problem::new("redis", "connection refused")]),
            )
        },
    ]
}
