//! The signatures as the contract describes them, written without the program's own code, and held to the fixed vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

fn hmac_sha256(key: &[u8], signed: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}

/// `X-Webhook-Signature`: the key is the secret as it is shown.
pub(crate) fn plain_signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), body)))
}

/// `webhook-signature` for one secret.
pub(crate) fn standard_signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = match secret.strip_prefix("whsec_") {
        Some(base64) => STANDARD.decode(base64).expect("base64"),
        None => secret.as_bytes().to_vec(),
    };
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac_sha256(&key, &signed)))
}

#[test]
fn the_standard_webhooks_vector_comes_out() {
    let (secret, id) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek");
    let signature = standard_signature(secret, id, "1614265330", br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn the_cases_of_rfc_4231_come_out() {
    let counting: Vec<u8> = (1..=25).collect();
    let long = concat!(
        "This is a test using a larger than block-size key and a larger than block-size data. ",
        "The key needs to be hashed before being used by the HMAC algorithm."
    );
    let cases: [(&[u8], &[u8], &str); 6] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (&[0xaa; 131], long.as_bytes(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ];
    for (key, data, wanted) in cases {
        assert_eq!(hex::encode(hmac_sha256(key, data)), wanted);
        if let Ok(secret) = std::str::from_utf8(key) {
            assert_eq!(plain_signature(secret, data), format!("sha256={wanted}"));
        }
    }
}
