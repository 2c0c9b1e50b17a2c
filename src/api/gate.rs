//! What every request passes: its id, the token and its role, and the time limit.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument as _;

use super::auth::Tokens;
use super::calls::{self, Listed};
use super::problem::ApiError;
use super::trace;
use crate::model::token::Token;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a request.
const LONGEST_ID: usize = 128;

pub(super) struct Gate {
    tokens: Tokens,
    max_body_bytes: usize,
    timeout: Duration,
}

/// The largest body, for the message that says so.
#[derive(Clone, Copy)]
pub(super) struct MaxBody(pub(super) usize);

impl Gate {
    pub(super) fn new(tokens: &[Token], max_body_bytes: usize, timeout: Duration) -> Self {
        Self { tokens: Tokens::new(tokens), max_body_bytes, timeout }
    }

    pub(super) fn asks_for_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    pub(super) fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// Lets those through who may make the call. Paths under `/api/` need a token, those that do not exist included: otherwise
    /// strangers could learn which calls there are. What a role may do is decided before anything is looked at, so a refusal tells nothing.
    fn admit(&self, request: &mut Request) -> Result<(), ApiError> {
        let guarded = request.uri().path().starts_with("/api/");
        let access = if guarded { Some(self.tokens.check(request.headers())?) } else { None };
        if let Some(path) = request.extensions().get::<MatchedPath>() {
            match (calls::find(request.method(), path.as_str()), &access) {
                (Listed::As(needs), Some(access)) if !needs.roles().contains(&access.role()) => {
                    return Err(ApiError::Forbidden { role: access.role(), needs });
                }
                (Listed::Nowhere, _) => {
                    tracing::error!(path = path.as_str(), "nobody may make a call that is not in src/api/calls.rs");
                    return Err(ApiError::NotFound("call at this path"));
                }
                // The router answers other methods, with those that there are.
                (Listed::As(_) | Listed::OtherMethods, _) => {}
            }
        }
        if let Some(access) = access {
            request.extensions_mut().insert(access);
        }
        request.extensions_mut().insert(MaxBody(self.max_body_bytes));
        Ok(())
    }
}

/// Lets a request through to its call. Its id is in the answer, and in every line that is logged about it, with the trace that it names.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // Of the highest level, so that lines of every level have it.
    let trace_id = trace::of(request.headers()).map(|context| tracing::field::display(context.trace_id));
    let span = tracing::error_span!("request", request_id = id.to_str().unwrap_or_default(), trace_id);
    let mut response = answer(&gate, request, next).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn answer(gate: &Gate, mut request: Request, next: Next) -> Response {
    if let Err(error) = gate.admit(&mut request) {
        return error.into_response();
    }
    match tokio::time::timeout(gate.timeout, next.run(request)).await {
        Ok(response) => response,
        // The handler is dropped where it waited.
        Err(_elapsed) => ApiError::Timeout.into_response(),
    }
}

/// The one that the request brings, if it can stand in a log line as it is; or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let given = headers.get(REQUEST_ID).filter(|id| (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(sane));
    given.cloned().unwrap_or_else(|| {
        let made = uuid::Uuid::now_v7().hyphenated().to_string();
        HeaderValue::try_from(made).unwrap_or(HeaderValue::from_static("-"))
    })
}
