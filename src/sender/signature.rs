//! The two signatures of a request: `X-Webhook-Signature`, and Standard Webhooks 1.0.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::clock::Timestamp;
use crate::model::rotation::EarlierSecret;
use crate::model::secret::Secret;

type HmacSha256 = Hmac<Sha256>;

/// The keys of an endpoint, prepared once: a signature then hashes only what it signs. Public, so that `benches/micro` can measure it by
/// itself.
#[derive(Clone)]
pub struct SigningKeys {
    plain: HmacSha256,
    /// Newest first, each with its end; one entry of `webhook-signature` each while it is valid.
    standard: Vec<(HmacSha256, Timestamp)>,
}

impl SigningKeys {
    /// `earlier` newest first.
    #[must_use]
    pub fn new(newest: &Secret, earlier: &[EarlierSecret]) -> Self {
        let all = std::iter::once((newest, Timestamp::MAX_UTC)).chain(earlier.iter().map(|one| (&one.secret, one.until)));
        Self {
            plain: keyed(newest.reveal().as_bytes()),
            standard: all.map(|(secret, until)| (keyed(&standard_key(secret)), until)).collect(),
        }
    }

    /// `sha256=` and the lower-case hex of HMAC-SHA256 over the body, with the UTF-8 bytes of the newest secret as shown.
    #[must_use]
    pub fn plain(&self, body: &[u8]) -> String {
        let mac = self.plain.clone().chain_update(body).finalize().into_bytes();
        let mut signature = String::with_capacity(7 + 64);
        signature.push_str("sha256=");
        let mut digits = [0; 64];
        #[expect(clippy::expect_used, reason = "32 bytes are 64 digits, and digits are ASCII")]
        {
            hex::encode_to_slice(mac, &mut digits).expect("64 digits");
            signature.push_str(std::str::from_utf8(&digits).expect("ASCII"));
        }
        signature
    }

    /// `v1,<base64>` over `{id}.{timestamp}.{body}` for every secret that is valid at `at`, newest first, separated by spaces.
    #[must_use]
    pub fn standard(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut signature = String::with_capacity(self.standard.len() * 48);
        let timestamp = at.timestamp().to_string();
        for (key, _) in self.standard.iter().filter(|(_, until)| at < *until) {
            if !signature.is_empty() {
                signature.push(' ');
            }
            signature.push_str("v1,");
            let mut mac = key.clone();
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut signature);
        }
        signature
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    HmacSha256::new_from_slice(key).expect("a key")
}

/// For `whsec_<base64>` the decoded bytes; for any other secret its UTF-8 bytes.
fn standard_key(secret: &Secret) -> Vec<u8> {
    let shown = secret.reveal();
    shown.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok()).unwrap_or_else(|| shown.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newest first. All but the newest are valid until second 100.
    fn keys(secrets: &[&str]) -> SigningKeys {
        let mut secrets = secrets.iter().map(|secret| Secret::new((*secret).to_owned()));
        let newest = secrets.next().expect("at least one");
        let earlier: Vec<_> = secrets.map(|secret| EarlierSecret { secret, until: second(100) }).collect();
        SigningKeys::new(&newest, &earlier)
    }

    fn second(second: u32) -> Timestamp {
        crate::model::clock::from_unix_seconds(f64::from(second))
    }

    #[test]
    fn the_standard_webhooks_vector_is_reproduced() {
        let signature = keys(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).standard(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            second(1_614_265_330),
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// RFC 4231, test cases 1, 2 and 6 with keys that are text or bytes below 0x80 as UTF-8 has them.
    #[test]
    fn the_plain_signature_is_hmac_sha256_as_in_rfc_4231() {
        let table = [
            ("\u{b}".repeat(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            ("Jefe".into(), "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ];
        for (key, data, wanted) in table {
            assert_eq!(keys(&[&key]).plain(data.as_bytes()), format!("sha256={wanted}"));
        }
        // Cases 3, 4, 6 and 7 have keys that are not UTF-8, so no secret can be one: the same function signs them.
        let long_key = keyed(&[0xaa; 131]).chain_update(b"Test Using Larger Than Block-Size Key - Hash Key First").finalize().into_bytes();
        assert_eq!(hex::encode(long_key), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn every_valid_secret_signs_newest_first_and_the_plain_signature_uses_the_newest() {
        let (new, old) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "plain-old-secret");
        let both = keys(&[new, old]);
        let wanted = format!("{} {}", keys(&[new]).standard("a", second(99), b"x"), keys(&[old]).standard("a", second(99), b"x"));
        assert_eq!(both.standard("a", second(99), b"x"), wanted);
        assert_eq!(both.standard("a", second(100), b"x"), keys(&[new]).standard("a", second(100), b"x"), "its time is over");
        assert_eq!(both.plain(b"x"), keys(&[new]).plain(b"x"));
    }
}
