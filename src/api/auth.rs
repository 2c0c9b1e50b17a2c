//! Who asks, what they may do, and which tenant they are held to.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::ApiError;
use crate::model::token::{Role, Token};

/// The tokens as hashes: all of one length, so that comparing takes the same time whatever is given.
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    pub(super) fn new(tokens: &[Token]) -> Self {
        Self(tokens.to_vec())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these headers give access to.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Access, ApiError> {
        if self.0.is_empty() {
            return Ok(Access(Token { sha256: [0; 32], role: Role::Admin, tenant: None }));
        }
        let given = bearer(headers).ok_or(ApiError::Unauthorized { token_given: false })?;
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        let mut found = None;
        // No early end: the time must not tell how far down the list a token stands.
        for known in &self.0 {
            if bool::from(known.sha256.ct_eq(&given)) {
                found = Some(Access(known.clone()));
            }
        }
        found.ok_or(ApiError::Unauthorized { token_given: true })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What the token of a request gives access to.
#[derive(Debug, Clone)]
pub(super) struct Access(Token);

impl Access {
    pub(super) fn role(&self) -> Role {
        self.0.role
    }

    /// Tells its holder from others; zeros where there are no tokens.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.0.sha256
    }

    /// The tenant that everything is held to; `None` for all.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// The tenant to look at when `asked` is asked for. The answer to another one is the same whether that exists or not.
    pub(super) fn narrow(&self, asked: Option<String>) -> Result<Option<String>, String> {
        match (&self.0.tenant, asked) {
            (Some(bound), Some(asked)) if **bound != *asked => Err("is not the tenant of this token: leave it out".into()),
            (Some(bound), _) => Ok(Some(bound.to_string())),
            (None, asked) => Ok(asked),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // A path that the gate does not watch gives access to nothing.
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthorized { token_given: false })
    }
}
