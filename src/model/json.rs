//! JSON as text. `data` is never parsed into a tree: its bytes reach the receiver as they came in.

use std::borrow::Cow;

/// How deep `data` may nest. Postgres' own parser gives up at a few thousand levels, and would then
/// refuse the whole commit that such an event shares with others.
pub const MAX_DEPTH: usize = 512;

/// Removes the white space between tokens; everything inside strings is kept.
///
/// `json` must be valid JSON. Text without such white space is returned as it is.
#[must_use]
pub fn compact(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let Some(first) = next_space(bytes, 0) else {
        return Cow::Borrowed(json);
    };
    let mut out = String::with_capacity(json.len());
    let mut kept_until = 0;
    let mut space = Some(first);
    while let Some(at) = space {
        out.push_str(&json[kept_until..at]);
        kept_until = at + 1;
        space = next_space(bytes, kept_until);
    }
    out.push_str(&json[kept_until..]);
    Cow::Owned(out)
}

/// The next white space outside of strings, looking from `from`, which is itself outside of strings.
fn next_space(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(at),
            b'"' => at = string_end(bytes, at),
            _ => at += 1,
        }
    }
    None
}

/// The position after the string that starts at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Whether `json`, which must be valid, nests deeper than [`MAX_DEPTH`].
#[must_use]
pub fn too_deep(json: &str) -> bool {
    // Every level needs an opening and a closing byte.
    if json.len() <= 2 * MAX_DEPTH {
        return false;
    }
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_is_removed() {
        let table = [
            (r#"{"b": 1.0, "a": [1e3, 12345678901234567890]}"#, r#"{"b":1.0,"a":[1e3,12345678901234567890]}"#),
            (r#"{"a":"x \" y"}"#, r#"{"a":"x \" y"}"#),
            (r#" "a b\\" "#, r#""a b\\""#),
            ("{\n\t\"é\" :\r\n \"\\u00e9 \"}", "{\"é\":\"\\u00e9 \"}"),
            ("null", "null"),
        ];
        for (given, wanted) in table {
            assert_eq!(compact(given), wanted);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!too_deep(&nested(MAX_DEPTH)));
        assert!(too_deep(&nested(MAX_DEPTH + 1)));
        assert!(!too_deep(&format!("\"{}\"", "[".repeat(5000))));
        assert!(!too_deep(&format!("[{}1]", "[],".repeat(2000))));
    }
}
