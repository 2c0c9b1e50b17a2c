//! Errors as RFC 9457 problem details.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::calls::Needs;
use crate::model::problem::Problem;
use crate::model::token::Role;
use crate::ports::{BackendError, CatalogError, RetryError};

/// How many seconds a client should wait when a backend is away: our own retries have begun by then.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The same when another request is just being taken in.
const IN_A_MOMENT: HeaderValue = HeaderValue::from_static("1");

/// More than this helps nobody, and an array of 1,000 bad events would make a long answer.
const MAX_PROBLEMS: usize = 100;

/// Why a request gets no answer of its own.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("the request is not valid: see `errors`")]
    Invalid(Vec<Problem>),
    /// The body is not JSON, or not of the right kind.
    #[error("{0}")]
    Malformed(String),
    #[error("{detail}")]
    TooLarge { detail: String, errors: Vec<Problem> },
    #[error("the body must be JSON: send it with `Content-Type: application/json`")]
    MediaType,
    #[error("{}", if *.token_given { "the token is not one of http.tokens" } else { "send `Authorization: Bearer <token>`" })]
    Unauthorized { token_given: bool },
    #[error("the token has the role `{}`, and this call needs {}", .role.name(), roles(*.needs))]
    Forbidden { role: Role, needs: Needs },
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What is asked for cannot be done as things stand.
    #[error("{0}")]
    Conflict(String),
    #[error("a request with this Idempotency-Key is being taken in: send it again in a moment, with the same key")]
    KeyRuns,
    #[error("this Idempotency-Key came with another body before: make a new key for a new request")]
    KeyReused,
    #[error("this path has no such method: see `Allow`")]
    MethodNotAllowed,
    #[error("the request took too long, and whether it took effect is unknown: send it again later")]
    Timeout,
    #[error("this process cannot do its work: see `errors`")]
    NotReady(Vec<Problem>),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Backend(error) => Self::Backend(error),
            CatalogError::NotFound => Self::NotFound("endpoint"),
            CatalogError::Conflict(why) => Self::Conflict(why),
            CatalogError::Invalid(problems) => Self::Invalid(problems),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Backend(error) => Self::Backend(error),
            RetryError::NotFound(what) => Self::NotFound(what),
            conflict => Self::Conflict(conflict.to_string()),
        }
    }
}

/// The roles that may, as one reads them: `read` or `admin`.
fn roles(needs: Needs) -> String {
    let names: Vec<_> = needs.roles().iter().rev().map(|role| format!("`{}`", role.name())).collect();
    names.join(" or ")
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    errors: Cow<'a, [Problem]>,
}

impl ApiError {
    /// The status, the last part of `type`, and the title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid", "Invalid request"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "Malformed body"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Unsupported media type"),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Conflict(_) | Self::KeyRuns => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "Idempotency-Key reused"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout", "Timed out"),
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
            Self::Backend(BackendError::Unavailable { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Backend(BackendError::Refused { .. }) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// What the client reads. Backends' own words stay in the log: they may name hosts, queries or data.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Backend(BackendError::Unavailable { backend, .. }) => {
                format!("{backend} is unavailable, and whether the request took effect is unknown: send it again later").into()
            }
            Self::Backend(BackendError::Refused { .. }) => "something went wrong here, and was logged".into(),
            other => other.to_string().into(),
        }
    }

    fn errors(&self) -> &[Problem] {
        match self {
            Self::Invalid(errors) | Self::NotReady(errors) | Self::TooLarge { errors, .. } => errors,
            _ => &[],
        }
    }

    /// The answer's body.
    pub(super) fn body(&self) -> impl Serialize {
        let (status, kind, title) = self.kind();
        let r#type = format!("urn:posthaste:problem:{kind}");
        Body { r#type, title, status: status.as_u16(), detail: self.detail(), errors: bounded(self.errors()) }
    }

    fn log(&self) {
        match self {
            Self::Backend(error @ BackendError::Unavailable { .. }) => tracing::warn!(%error, "a request found its backend away"),
            Self::Backend(error @ BackendError::Refused { .. }) => tracing::error!(%error, "a request failed"),
            Self::Timeout => tracing::warn!("a request timed out"),
            _ => {}
        }
    }

    fn extra_header(&self) -> Option<(header::HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized { token_given: false } => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"posthaste\"")))
            }
            Self::Unauthorized { token_given: true } => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"posthaste\", error=\"invalid_token\"")))
            }
            Self::Forbidden { .. } => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"posthaste\", error=\"insufficient_scope\"")))
            }
            Self::Backend(BackendError::Unavailable { .. }) | Self::Timeout | Self::NotReady(_) => Some((header::RETRY_AFTER, RETRY_AFTER)),
            Self::KeyRuns => Some((header::RETRY_AFTER, IN_A_MOMENT)),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.kind().0, axum::Json(self.body())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(self.extra_header());
        response
    }
}

fn bounded(errors: &[Problem]) -> Cow<'_, [Problem]> {
    if errors.len() <= MAX_PROBLEMS {
        return errors.into();
    }
    let mut shown = errors[..MAX_PROBLEMS].to_vec();
    shown.push(Problem::new("…", format!("and {} more", errors.len() - MAX_PROBLEMS)));
    shown.into()
}
