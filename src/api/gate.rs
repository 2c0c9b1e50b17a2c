//! What every request passes: the token, and the time limit.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::{Token, Tokens};
use super::problem::ApiError;

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
}

/// Lets a request through to its call. Paths under `/api/` need a token, those that do not exist included: otherwise
/// strangers could learn which calls there are.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") {
        match gate.tokens.check(request.headers()) {
            Ok(access) => request.extensions_mut().insert(access),
            Err(error) => return error.into_response(),
        };
    }
    request.extensions_mut().insert(MaxBody(gate.max_body_bytes));
    match tokio::time::timeout(gate.timeout, next.run(request)).await {
        Ok(response) => response,
        // The handler is dropped where it waited.
        Err(_elapsed) => ApiError::Timeout.into_response(),
    }
}
