//! `http.tokens`.

use std::collections::HashMap;
use std::sync::Arc;

use config::{Map, Value, ValueKind};
use sha2::{Digest as _, Sha256};

use super::reader::Reader;
use crate::model::token::{Role, Token};
use crate::model::validate;

const KEY: &str = "http.tokens";

/// The tokens; `None` when none is given.
pub(super) fn read(from: &mut Reader) -> Option<Vec<Token>> {
    let items = from.list(KEY);
    let none_given = items.is_empty();
    let (mut tokens, mut places) = (Vec::with_capacity(items.len()), HashMap::new());
    for (item, place) in items.into_iter().zip(1..) {
        match token(item) {
            Ok(token) => {
                if let Some(first) = places.insert(token.sha256, place) {
                    from.problem(KEY, format!("token {place} is token {first} once more: a token has one role and one tenant"));
                }
                tokens.push(token);
            }
            Err(messages) => {
                for message in messages {
                    from.problem(KEY, format!("token {place} {message}"));
                }
            }
        }
    }
    (!none_given).then_some(tokens)
}

/// The item as a token, or everything that is wrong with it. Nothing of what it holds is repeated: it may be a token in the wrong place.
fn token(item: Value) -> Result<Token, Vec<String>> {
    let mut table = match item.kind {
        ValueKind::Table(table) => table,
        lone => Map::from_iter([("token".to_owned(), Value::from(lone.to_string()))]),
    };
    let mut problems = Vec::new();
    let mut text = |key: &str| table.remove(key).and_then(|value| value.into_string().ok());
    let hash = hash(text("token"), text("sha256"));
    let role = text("role").map_or(Ok(Role::Admin), |role| role.parse());
    let tenant = text("tenant");
    if let Some(tenant) = &tenant
        && let Err(message) = validate::tenant(tenant)
    {
        problems.push(format!("has the tenant `{tenant}`, which {message}"));
    }
    let mut unknown: Vec<_> = table.keys().map(|key| format!("`{key}`")).collect();
    unknown.sort();
    if !unknown.is_empty() {
        problems.push(format!("has {}, and may have token or sha256, role and tenant", unknown.join(", ")));
    }
    problems.extend(hash.as_ref().err().cloned());
    problems.extend(role.as_ref().err().cloned());
    match (hash, role) {
        (Ok(sha256), Ok(role)) if problems.is_empty() => Ok(Token { sha256, role, tenant: tenant.map(Arc::from) }),
        _ => Err(problems),
    }
}

fn hash(token: Option<String>, sha256: Option<String>) -> Result<[u8; 32], String> {
    match (token, sha256) {
        (Some(_), Some(_)) => Err("has both token and sha256: one of them is enough".into()),
        (None, Some(digits)) => {
            let mut hash = [0; 32];
            let wrong = "has a sha256 that is not 64 hexadecimal digits: print it with `printf %s \"$TOKEN\" | sha256sum`";
            hex::decode_to_slice(digits.trim(), &mut hash).map_err(|_not_hexadecimal| wrong.to_owned())?;
            Ok(hash)
        }
        (token, None) => {
            let token = token.unwrap_or_default();
            if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("must be at least 16 visible ASCII characters: make one with `openssl rand -hex 32`".into());
            }
            Ok(Sha256::digest(token.as_bytes()).into())
        }
    }
}
