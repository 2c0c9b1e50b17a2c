//! Where the next page of a list starts, as text that clients hand back and need not understand.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cursor of `list` that continues after `key`.
pub(super) fn encode(list: &str, key: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{key}"))
}

/// The inverse of [`encode`]; a cursor of another list is refused.
pub(super) fn decode<K: FromStr>(list: &str, cursor: &str) -> Result<K, String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(list)?.strip_prefix(':')?.parse().ok());
    key.ok_or_else(|| "is not a `next_cursor` of this list".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_belong_to_their_list() {
        let cursor = encode("endpoints", 17);
        assert_eq!(decode::<i64>("endpoints", &cursor), Ok(17));
        assert!(decode::<i64>("deliveries", &cursor).is_err());
        assert!(decode::<i64>("endpoints", "17").is_err());
        assert!(decode::<i64>("endpoints", "").is_err());
    }
}
