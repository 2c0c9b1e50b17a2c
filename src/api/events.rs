//! Door 2: events over HTTP.
//!
//! The body is one event, or an array of up to [`MAX_EVENTS`]. Either all of them are taken in, or none: one that is wrong
//! refuses the request, and every wrong one is named. The answer has one id for each element, in order. Elements with
//! the same tenant and id are one event, and the first of them counts.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, de};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::extract::{JsonBody, malformed};
use super::keyed::{Key, Keys};
use super::openapi::problems::{Conflicts, KeyReused};
use super::openapi::{Described, shapes};
use super::problem::ApiError;
use super::trace::Trace;
use crate::model::clock;
use crate::model::event::{self, Event, Reading, Rejection};
use crate::model::keyed::Taken;
use crate::model::problem::Problem;
use crate::ports::Door;

/// How many events one request may hold.
pub(super) const MAX_EVENTS: usize = 1000;

#[derive(Clone)]
pub(super) struct EventDoor {
    pub(super) door: Arc<dyn Door>,
    pub(super) max_event_bytes: usize,
    pub(super) keep_keyed: Duration,
    pub(super) new_event_id: fn() -> String,
}

pub(super) fn routes(door: EventDoor) -> Described {
    OpenApiRouter::new().routes(routes!(accept)).with_state(door)
}

#[derive(Serialize, ToSchema)]
struct Accepted {
    /// One for each event, in order.
    #[schema(value_type = Vec<String>)]
    ids: Vec<Arc<str>>,
    /// Of a single event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    id: Option<Arc<str>>,
}

/// Enqueue events
///
/// One event, or an array of up to 1,000: either all of them are taken in, or none. The same tenant and id, any number of times, is one event.
/// The bytes of `data` reach the receiver as they came in: key order, number spelling and escapes are kept.
/// An event may have `limits.max_event_bytes` (256 KiB unless set otherwise). A header `traceparent` counts for events that have none of their own.
///
/// A request that may have been lost is sent again safely where every event has an `id`, or the request an `Idempotency-Key`.
#[utoipa::path(post, path = "/events", operation_id = "enqueueEvents", tag = "Events", params(Keys),
    request_body = shapes::Events,
    responses((status = 202, description = "The events are durable, and will be delivered", body = Accepted), Conflicts, KeyReused))]
async fn accept(State(door): State<EventDoor>, access: Access, key: Key, trace: Trace, body: JsonBody) -> Result<Response, ApiError> {
    let is_array = body.0.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let now = clock::now();
    let reading = Reading {
        max_bytes: door.max_event_bytes,
        accepted_at: now,
        new_id: Some(door.new_event_id),
        tenant: access.tenant(),
        traceparent: trace.0,
    };
    let mut events = if is_array { read_array(&body.0, reading)? } else { vec![read_single(&body.0, reading)?] };
    let mut ids: Vec<_> = events.iter().map(|event| Arc::clone(&event.key.id)).collect();
    let mut seen = HashSet::with_capacity(events.len());
    events.retain(|event| seen.insert(event.key.clone()));
    match key.request(&access, &body.0, &ids, now, door.keep_keyed) {
        None => drop(door.door.accept(events).await?),
        Some(request) => match door.door.accept_keyed(request, events).await? {
            Taken::Now(_) => {}
            Taken::Before(answered) => ids = answered,
            Taken::OtherBody => return Err(ApiError::KeyReused),
            Taken::Running => return Err(ApiError::KeyRuns),
        },
    }
    let id = if is_array { None } else { ids.first().cloned() };
    Ok((StatusCode::ACCEPTED, Json(Accepted { ids, id })).into_response())
}

pub(super) fn read_single(body: &[u8], reading: Reading<'_>) -> Result<Event, ApiError> {
    event::parse(body.trim_ascii(), reading).map_err(|rejection| match rejection {
        Rejection::NotJson(message) => ApiError::Malformed(format!("the body is not an event: {message}")),
        Rejection::TooLarge { .. } => {
            ApiError::TooLarge { detail: rejection.to_string(), errors: vec![Problem::new("event", rejection.to_string())] }
        }
        Rejection::Field { field, message } => ApiError::Invalid(vec![Problem::new(field, message)]),
    })
}

fn read_array(body: &[u8], reading: Reading<'_>) -> Result<Vec<Event>, ApiError> {
    let elements: Elements<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    if elements.0.is_empty() {
        return Err(ApiError::Invalid(vec![Problem::new("events", "must hold at least one event")]));
    }
    let mut events = Vec::with_capacity(elements.0.len());
    let mut problems = Vec::new();
    let mut too_large = false;
    for (at, element) in elements.0.iter().enumerate() {
        match event::parse(element.get().as_bytes(), reading) {
            Ok(event) => events.push(event),
            Err(Rejection::Field { field, message }) => problems.push(Problem::new(format!("events[{at}].{field}"), message)),
            Err(rejection) => {
                too_large |= matches!(rejection, Rejection::TooLarge { .. });
                problems.push(Problem::new(format!("events[{at}]"), rejection.to_string()));
            }
        }
    }
    match (problems.is_empty(), too_large) {
        (true, _) => Ok(events),
        (false, false) => Err(ApiError::Invalid(problems)),
        (false, true) => {
            let detail = format!("an event is larger than limits.max_event_bytes ({} bytes): see `errors`", reading.max_bytes);
            Err(ApiError::TooLarge { detail, errors: problems })
        }
    }
}

/// The elements of an array as they were spelled. Reading stops at [`MAX_EVENTS`], so that a body full of tiny elements takes no memory.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ElementsVisitor)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut taken = Vec::new();
        while let Some(element) = elements.next_element()? {
            if taken.len() == MAX_EVENTS {
                return Err(de::Error::custom(format!("an array may hold {MAX_EVENTS} events, and this one holds more")));
            }
            taken.push(element);
        }
        Ok(Elements(taken))
    }
}
