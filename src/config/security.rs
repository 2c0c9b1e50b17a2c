//! `security`: what secrets are encrypted with.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reader::Reader;

const KEY: &str = "security.master_key";
const FILE: &str = "security.master_key_file";

/// A key that secrets are encrypted with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MasterKey(pub [u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[derive(Debug, Clone, Default)]
pub struct SecuritySettings {
    /// The first encrypts, all of them decrypt. Without any, secrets are kept as they are.
    pub master_keys: Vec<MasterKey>,
}

pub(super) fn read(from: &mut Reader) -> SecuritySettings {
    let given: Vec<String> = from.list(KEY).into_iter().map(|item| item.into_string().unwrap_or_default()).collect();
    let file = from.text(FILE);
    let (key, texts) = if file.is_empty() { (KEY, given) } else { (FILE, lines(from, &file)) };
    if !file.is_empty() && !from.list(KEY).is_empty() {
        from.problem(FILE, format!("stands beside {KEY}: put all keys into one of them"));
    }
    let mut master_keys = Vec::with_capacity(texts.len());
    for (text, place) in texts.iter().zip(1..) {
        // What was given is not repeated: it is nearly a key.
        match STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(bytes) => master_keys.push(MasterKey(bytes)),
            None => from.problem(key, format!("key {place} is not the base64 of 32 bytes: make one with `openssl rand -base64 32`")),
        }
    }
    let distinct: HashSet<_> = master_keys.iter().collect();
    if distinct.len() < master_keys.len() {
        from.problem(key, "has the same key twice");
    }
    SecuritySettings { master_keys }
}

/// One key a line.
fn lines(from: &mut Reader, file: &str) -> Vec<String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            from.problem(FILE, format!("is `{file}`, which cannot be read: {error}"));
            return Vec::new();
        }
    };
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    if lines.is_empty() {
        from.problem(FILE, format!("is `{file}`, which holds no key: make one with `openssl rand -base64 32`"));
    }
    lines
}
