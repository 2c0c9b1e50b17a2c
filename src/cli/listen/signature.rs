//! Verifies `webhook-signature` as a receiver does: Standard Webhooks 1.0.0, written from its text and not from what signs.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Seconds that a request may be old, or ahead of our clock.
const TOLERANCE: i64 = 300;

pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// Of `whsec_<base64>` the decoded bytes; of any other secret its UTF-8 bytes.
    pub(super) fn of(secret: &str) -> Result<Self, String> {
        let bytes = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|error| format!("--secret is not base64 after whsec_: {error}"))?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err("--secret is empty: give the one that was shown when the endpoint was registered".into());
        }
        Hmac::new_from_slice(&bytes).map(Self).map_err(|error| format!("--secret: {error}"))
    }

    /// Whether one of the signatures is of this secret; `now` in Unix seconds.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<(), &'static str> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(timestamp), Some(signatures)) = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"))
        else {
            return Err("not signed");
        };
        let mut signed = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            signed.update(part);
        }
        let of_ours = |entry: &str| {
            let given = entry.strip_prefix("v1,").and_then(|given| STANDARD.decode(given).ok());
            given.is_some_and(|given| signed.clone().verify_slice(&given).is_ok())
        };
        if !signatures.split(' ').any(of_ours) {
            return Err("signature wrong: not of this secret, or changed on the way");
        }
        match timestamp.parse::<i64>() {
            Ok(at) if at.abs_diff(now) <= TOLERANCE.unsigned_abs() => Ok(()),
            _ => Err("signature more than five minutes old"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const AT: i64 = 1_614_265_330;

    fn verify(secret: &str, signature: &str, body: &[u8], now: i64) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        let timestamp = AT.to_string();
        for (name, value) in
            [("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("webhook-timestamp", &timestamp), ("webhook-signature", signature)]
        {
            headers.insert(name, value.parse().expect("a header"));
        }
        Key::of(secret).expect("a secret").verify(&headers, body, now)
    }

    #[test]
    fn the_vector_of_standard_webhooks_is_right_and_what_differs_is_not() {
        const BODY: &[u8] = br#"{"test": 2432232314}"#;
        let several = format!("v1a,nonsense v1,AAAA {SIGNATURE}");
        for (secret, signature, body, now, right) in [
            (SECRET, SIGNATURE, BODY, AT, true),
            (SECRET, several.as_str(), BODY, AT + 300, true),
            (SECRET, SIGNATURE, BODY, AT + 301, false),
            (SECRET, SIGNATURE, BODY, AT - 301, false),
            (SECRET, SIGNATURE, br#"{"test":2432232314}"#, AT, false),
            (SECRET, "v1,", BODY, AT, false),
            ("whsec_AAAA", SIGNATURE, BODY, AT, false),
            ("another-secret", SIGNATURE, BODY, AT, false),
        ] {
            assert_eq!(verify(secret, signature, body, now).is_ok(), right, "{secret} {signature} {now}");
        }
        assert_eq!(Key::of(SECRET).expect("a secret").verify(&HeaderMap::new(), BODY, AT), Err("not signed"));
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for wrong in ["", "whsec_", "whsec_not base64"] {
            assert!(Key::of(wrong).err().is_some_and(|error| error.starts_with("--secret")), "{wrong}");
        }
    }
}
