//! What could not be processed: list, enqueue again, drop.
//!
//! What is in a dead letter was not understood, so it has no tenant: all of this is for tokens of all tenants, and for others it is
//! not there.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::cursor;
use super::extract::JsonBody;
use super::openapi::params::Paging;
use super::openapi::problems::{Conflicts, NotThere};
use super::openapi::{Described, shapes};
use super::params::Params;
use super::problem::ApiError;
use super::runs::{self, StartedRun};
use super::views::time;
use crate::model::dead_letter::KeptLetter;
use crate::model::problem::Problem;
use crate::ports::{Bulk, DeadLetters, LettersAsked, Requeue, Requeued};

/// How many ids one call may name.
const MAX_IDS: usize = 100;

#[derive(Clone)]
pub(super) struct Letters {
    pub(super) letters: Arc<dyn DeadLetters>,
    pub(super) requeue: Arc<dyn Requeue>,
    pub(super) max_event_bytes: usize,
}

pub(super) fn routes(letters: Letters) -> Described {
    OpenApiRouter::new().routes(routes!(list, drop_letters)).routes(routes!(requeue)).with_state(letters)
}

/// A token that is held to no tenant.
struct AllTenants;

impl<S: Sync> FromRequestParts<S> for AllTenants {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let access = Access::from_request_parts(parts, state).await?;
        // In the words for a path that does not exist.
        if access.tenant().is_some() { Err(ApiError::NotFound("call at this path")) } else { Ok(Self) }
    }
}

/// What could not be processed.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct LetterJson {
    id: String,
    /// What is wrong with it.
    reason: String,
    /// `null` of one that somebody else put there.
    #[schema(format = DateTime, required = true)]
    at: Option<String>,
    /// As text. Of an entry that is larger than `limits.max_event_bytes`, the beginning.
    entry: String,
    /// The bytes themselves, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    entry_base64: Option<String>,
    /// Bytes of the whole entry.
    size: u64,
    /// Whether `entry` is its beginning alone.
    cut: bool,
}

impl From<KeptLetter> for LetterJson {
    fn from(letter: KeptLetter) -> Self {
        // What was cut may end within a character.
        let is_text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) => letter.cut && error.error_len().is_none(),
        };
        let entry_base64 = (!is_text(&letter.entry)).then(|| STANDARD.encode(&letter.entry));
        Self {
            entry: String::from_utf8_lossy(&letter.entry).into_owned(),
            entry_base64,
            at: letter.at.map(time),
            id: letter.id,
            reason: letter.reason,
            size: letter.size,
            cut: letter.cut,
        }
    }
}

/// One page of the dead letters.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetters)]
struct LetterList {
    items: Vec<LetterJson>,
    /// Where the next page starts: give it back as `cursor`. `null` on the last page, and there alone.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all.
    total: u64,
}

/// List dead letters
///
/// What could not be processed, with the reason. They have no tenant, so none of this is there for a token that is held to one.
#[utoipa::path(get, path = "/dead-letters", operation_id = "listDeadLetters", tag = "Dead letters", params(Paging),
    responses((status = 200, description = "One page", body = LetterList), NotThere))]
async fn list(State(state): State<Letters>, _: AllTenants, uri: Uri) -> Result<Json<LetterList>, ApiError> {
    let mut params = Params::new(&uri, &["limit", "cursor"]);
    let limit = params.limit() as usize;
    let after = params.parsed("cursor", |text| cursor::decode::<u64>("dead-letters", text));
    params.finish()?;
    let page = state.letters.letters(LettersAsked { ids: None, after, limit, max_bytes: state.max_event_bytes }).await?;
    Ok(Json(LetterList {
        items: page.items.into_iter().map(LetterJson::from).collect(),
        next_cursor: page.next.map(|place| cursor::encode("dead-letters", place)),
        total: page.total,
    }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RequeueDraft {
    ids: Option<Vec<String>>,
}

/// A dead letter that stays, since it would only become one again.
#[derive(Serialize, ToSchema)]
struct Refused {
    id: String,
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Requeued)]
struct RequeuedJson {
    /// How many were enqueued again.
    requeued: u64,
    refused: Vec<Refused>,
}

impl RequeuedJson {
    fn new(requeued: Requeued) -> Self {
        let refused = requeued.refused.into_iter().map(|(id, reason)| Refused { id, reason }).collect();
        Self { requeued: requeued.requeued, refused }
    }
}

/// Enqueue dead letters again
///
/// Those that are named, or all of them. Those that would only become dead letters again stay, and `refused` says why. Many are enqueued in
/// the background: then the answer is the run that does so. The body may be left out.
#[utoipa::path(post, path = "/dead-letters/requeue", operation_id = "requeueDeadLetters", tag = "Dead letters",
    request_body = Option<shapes::DeadLetterIds>,
    responses((status = 200, description = "Those that could be are enqueued", body = RequeuedJson),
        (status = 202, description = "They are many: a run enqueues them", body = StartedRun,
            headers(("Location" = String, description = "The path of the run"))), NotThere, Conflicts))]
async fn requeue(State(state): State<Letters>, _: AllTenants, request: Request) -> Result<Response, ApiError> {
    let done = match draft_of(request).await?.ids {
        Some(ids) => RequeuedJson::new(state.requeue.requeue(&checked(ids)?).await?),
        None => match state.requeue.requeue_all().await? {
            Bulk::Done(requeued) => RequeuedJson::new(requeued),
            Bulk::Started(run) => return Ok(runs::started(*run)),
        },
    };
    Ok(Json(done).into_response())
}

/// The body, which may be left out. A web page could make that call on an API without tokens: it does what every owner of these letters may
/// want, and gives nothing away.
async fn draft_of(request: Request) -> Result<RequeueDraft, ApiError> {
    if request.headers().contains_key(header::CONTENT_TYPE) {
        let body = JsonBody::from_request(request, &()).await?;
        return if body.0.is_empty() { Ok(RequeueDraft::default()) } else { body.read() };
    }
    match Bytes::from_request(request, &()).await {
        Ok(body) if body.is_empty() => Ok(RequeueDraft::default()),
        _ => Err(ApiError::MediaType),
    }
}

#[derive(Serialize, ToSchema)]
struct Dropped {
    /// How many there were.
    dropped: u64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the handler reads")]
struct Dropping {
    /// Which: up to 100 ids, separated by commas. It may be given several times. Without it, all of them.
    #[param(pattern = "^[A-Za-z0-9]{1,64}(,[A-Za-z0-9]{1,64}){0,99}$")]
    id: Option<String>,
}

/// Drop dead letters
///
/// Those that are named, or all of them. They are gone then.
#[utoipa::path(delete, path = "/dead-letters", operation_id = "dropDeadLetters", tag = "Dead letters", params(Dropping),
    responses((status = 200, description = "They are gone", body = Dropped), NotThere))]
async fn drop_letters(State(state): State<Letters>, _: AllTenants, uri: Uri) -> Result<Json<Dropped>, ApiError> {
    let (mut ids, mut problems) = (None, Vec::new());
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name == "id" {
            let ids: &mut Vec<String> = ids.get_or_insert_default();
            ids.extend(value.split(',').map(str::to_owned));
        } else {
            problems.push(Problem::new(&*name, "is not a parameter of this call: there is id"));
        }
    }
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    let dropped = match ids {
        // An id that is empty must never mean all.
        Some(ids) => state.letters.remove_letters(&checked(ids)?, None).await?,
        None => state.letters.remove_all_letters().await?,
    };
    Ok(Json(Dropped { dropped }))
}

fn checked(ids: Vec<String>) -> Result<Vec<String>, ApiError> {
    let is_id = |id: &String| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let wrong = if ids.is_empty() || ids.len() > MAX_IDS {
        Some(format!("must be 1 to {MAX_IDS} ids: leave it out for all dead letters"))
    } else if ids.iter().all(is_id) {
        None
    } else {
        Some("must be ids as the list of dead letters has them".to_owned())
    };
    wrong.map_or(Ok(ids), |message| Err(ApiError::Invalid(vec![Problem::new("ids", message)])))
}
