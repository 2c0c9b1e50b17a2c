//! Reads bodies and path segments.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::gate::MaxBody;
use super::problem::ApiError;
use crate::model::problem::Problem;

/// The bytes of a body that says it is JSON.
pub(super) struct JsonBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Asking for the header keeps web pages out: without leave, a browser sends other sites no JSON type.
        if !is_json(request.headers()) {
            return Err(ApiError::MediaType);
        }
        let limit = request.extensions().get::<MaxBody>().map_or(0, |max| max.0);
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| unread(&rejection, limit))
    }
}

/// The same, or no body at all.
pub(super) struct OptionalJson(pub(super) Option<Bytes>);

impl<S: Send + Sync> FromRequest<S> for OptionalJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        use axum::body::HttpBody as _;
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        JsonBody::from_request(request, state).await.map(|body| Self((!body.0.is_empty()).then_some(body.0)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn unread(rejection: &BytesRejection, limit: usize) -> ApiError {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            let detail = format!("the body is larger than http.max_body_bytes ({limit} bytes)");
            ApiError::TooLarge { errors: vec![Problem::new("body", detail.clone())], detail }
        }
        _ => ApiError::Malformed("the body broke off".into()),
    }
}

impl JsonBody {
    /// The body as a `T`; what is wrong names its field, or its line and column.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        // serde would read the fields from an array, by their places.
        if self.0.trim_ascii_start().first() == Some(&b'[') {
            return Err(ApiError::Malformed("the body must be a JSON object, and is an array".into()));
        }
        let mut json = serde_json::Deserializer::from_slice(&self.0);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            let error = error.into_inner();
            if error.is_data() && path != "." { ApiError::Invalid(vec![Problem::new(path, error.to_string())]) } else { malformed(&error) }
        })?;
        json.end().map_err(|error| malformed(&error))?;
        Ok(value)
    }
}

/// Says where the text stops being JSON.
pub(super) fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::Malformed(if error.is_data() {
        format!("the body is not what this call takes: {error}")
    } else {
        format!("the body is not valid JSON: {error}")
    })
}

/// The one variable segment of a path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|_not_utf_8| ApiError::Malformed("the path is not UTF-8".into()))
    }
}

/// A path segment; one that cannot name anything names nothing.
pub(super) fn segment<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, ApiError> {
    text.parse().map_err(|_unreadable| ApiError::NotFound(what))
}
