//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that may be sent again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use super::auth::Access;
use super::problem::ApiError;
use crate::model::clock::Timestamp;
use crate::model::keyed::KeyedRequest;
use crate::model::problem::Problem;

const NAME: &str = "Idempotency-Key";
const LONGEST: usize = 255;

/// The header as it is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the handler reads")]
pub(super) struct Keys {
    /// Makes it safe to send the request again: the same key with the same body, byte for byte, has the same answer for a day
    /// (`retention.idempotency_keys`), with the ids that were made the first time. A UUID, say: 1 to 255 visible ASCII characters, or a string as RFC 9651
    /// spells it. Keys of one token are not those of another. What was refused is not remembered.
    #[param(rename = "Idempotency-Key", pattern = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#)]
    key: Option<String>,
}

/// The key of a request, if it has one.
pub(super) struct Key(Option<Vec<u8>>);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut given = parts.headers.get_all(NAME).iter();
        let read = match (given.next(), given.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => read(value.as_bytes()).map(Some),
            (Some(_), Some(_)) => Err("is given more than once: send one for each request".to_owned()),
        };
        read.map(Self).map_err(|message| ApiError::Invalid(vec![Problem::new(NAME, message)]))
    }
}

impl Key {
    /// The request that the holder of `access` makes with this key.
    pub(super) fn request(&self, access: &Access, body: &[u8], ids: &[Arc<str>], at: Timestamp, keep: Duration) -> Option<KeyedRequest> {
        let key = self.0.as_ref()?;
        // The hash of the token has one length, and no tenant holds the byte between.
        let scope = Sha256::new().chain_update(access.sha256()).chain_update(access.tenant().unwrap_or_default()).chain_update([0]);
        Some(KeyedRequest {
            key: scope.chain_update(key).finalize().into(),
            body: Sha256::digest(body).into(),
            ids: ids.to_vec(),
            at,
            since: at - keep,
        })
    }
}

/// The key itself, in either spelling: `abc`, or `"abc"` as the draft has it.
fn read(value: &[u8]) -> Result<Vec<u8>, String> {
    let key = match value {
        [b'"', inside @ .., b'"'] => unquoted(inside),
        [b'"', ..] => None,
        plain => Some(plain.to_vec()),
    };
    let right = |key: &Vec<u8>| (1..=LONGEST).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    key.filter(right)
        .ok_or_else(|| format!("must be 1 to {LONGEST} visible ASCII characters, such as a UUID: make a new one for each new request"))
}

/// What stands between the quotes of a string (RFC 9651).
fn unquoted(inside: &[u8]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => key.push(*bytes.next().filter(|next| matches!(next, b'"' | b'\\'))?),
            _ => key.push(byte),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_with_quotes_around_it_or_without() {
        for (value, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            ("a\"b", "a\"b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ] {
            assert_eq!(read(value.as_bytes()).expect(value), key.as_bytes(), "{value}");
        }
        let longest = "x".repeat(LONGEST);
        assert_eq!(read(longest.as_bytes()).expect("255"), longest.as_bytes());
        assert_eq!(read(format!("\"{longest}\"").as_bytes()).expect("255 in quotes"), longest.as_bytes());
        let too_long = "x".repeat(LONGEST + 1);
        for wrong in ["", "\"\"", "\"", "\"abc", "\"a\"b\"", r#""a\b""#, r#""a\""#, "a b", "\"a b\"", "é", "a\tb", "\"abc\";a=1", &too_long]
        {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read(b"a\xffb").is_err());
    }
}
