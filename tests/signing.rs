//! Both signatures of a request, checked by hand and by the libraries that receivers use.

pub(crate) mod by_hand;
mod receivers;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::{Received, World, both_modes};
use by_hand::{plain_signature, standard_signature};

/// Secrets that an owner may bring: of Standard Webhooks with keys of several lengths, and of other kinds.
const SECRETS: [&str; 5] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "plain-old-secret",
    "0123456789abcdef0123456789abcdef",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
];

/// Registers an endpoint for each of [`SECRETS`] and one whose secret is made. Its place in the list is its path.
async fn with_all_secrets(world: &World, more: &Value) -> Vec<String> {
    let mut secrets = Vec::new();
    for (number, secret) in SECRETS.iter().map(Some).chain([None]).enumerate() {
        let mut fields = more.clone();
        if let Some(secret) = secret {
            fields["secret"] = json!(secret);
        }
        let registered = world.api.register(&world.receiver.url(&format!("/{number}")), &fields).await;
        assert!(secret.is_none_or(|secret| *secret == registered.secret), "an owner's secret is kept as it is");
        secrets.push(registered.secret);
    }
    secrets
}

fn secret_of<'a>(secrets: &'a [String], request: &Received) -> &'a str {
    let number: usize = request.path[1..].parse().expect("a number");
    &secrets[number]
}

/// Events whose bodies are easy to get wrong between signing and sending.
fn awkward_events() -> Vec<String> {
    let data =
        [r#"{"b":1.0,"a":"\u00e9 é"}"#.to_owned(), "null".to_owned(), format!("\"{}\"", "long 日本 ".repeat(5000)), "[ ]".to_owned()];
    data.iter().enumerate().map(|(number, data)| format!(r#"{{"id":"e.{number}","event_type":"a","data":{data}}}"#)).collect()
}

/// Sends [`awkward_events`] to all secrets, where every first attempt fails, and returns all requests.
async fn signed_requests(world: &World) -> (Vec<String>, Vec<Arc<Received>>) {
    let secrets = with_all_secrets(world, &json!({"retry_delay": 1.2, "max_retries": 2})).await;
    for path in 0..secrets.len() {
        world.receiver.statuses(&format!("/{path}"), [500, 500, 500, 500, 204]);
    }
    world.enqueue(world.doors()[0], &awkward_events()).await;
    let requests = world.receiver.wait_for(2 * secrets.len() * awkward_events().len()).await;
    (secrets, requests)
}

/// Both signatures are there, and right.
#[track_caller]
pub(crate) fn assert_signed(request: &Received, secret: &str) {
    assert_eq!(request.header("x-webhook-signature"), plain_signature(secret, &request.body));
    let timestamp = request.header("webhook-timestamp");
    assert_eq!(request.header("webhook-signature"), standard_signature(secret, request.event_id(), timestamp, &request.body));
}

/// The newest secret is this one; others may sign too.
#[track_caller]
pub(crate) fn assert_first_signed(request: &Received, secret: &str) {
    assert_eq!(request.header("x-webhook-signature"), plain_signature(secret, &request.body));
    let timestamp = request.header("webhook-timestamp");
    let first = request.header("webhook-signature").split(' ').next().unwrap_or_default();
    assert_eq!(first, standard_signature(secret, request.event_id(), timestamp, &request.body));
}

both_modes! {
    async fn every_attempt_carries_both_signatures_over_exactly_the_bytes_sent(setup: Setup) {
        let world = setup.await;
        let (secrets, requests) = signed_requests(&world).await;
        assert!(requests.iter().any(|request| request.attempt() == 2));
        for request in requests {
            assert_signed(&request, secret_of(&secrets, &request));
        }
    }

    async fn secrets_that_are_made_are_whsec_and_the_base64_of_32_random_bytes(setup: Setup) {
        use base64::Engine as _;
        let world = setup.await;
        let mut keys = Vec::new();
        for number in 0..20 {
            let secret = world.api.register(&world.receiver.url(&format!("/{number}")), &json!({})).await.secret;
            let key = base64::engine::general_purpose::STANDARD.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base64");
            assert_eq!(key.len(), 32, "{secret}");
            keys.push(key);
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 20);
        // Random bytes use all values: a text in them, or a counter, would not.
        let distinct: std::collections::HashSet<u8> = keys.concat().into_iter().collect();
        assert!(distinct.len() > 180, "{}", distinct.len());
    }

    async fn a_retry_is_signed_anew_for_its_own_time(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({"retry_delay": 1.5})).await;
        world.receiver.statuses("/a", [500, 204]);
        world.api.send_id("e").await;
        let requests = world.receiver.wait_for(2).await;
        assert_ne!(requests[0].header("webhook-timestamp"), requests[1].header("webhook-timestamp"));
        assert_ne!(requests[0].header("webhook-signature"), requests[1].header("webhook-signature"));
        assert_eq!(requests[0].header("x-webhook-signature"), requests[1].header("x-webhook-signature"));
    }

    async fn secrets_that_cannot_be_keys_are_refused(setup: Setup) {
        let world = setup.await;
        for secret in ["", "short", "whsec_not base64", "whsec_%%%%%%%%", "with a line\nbreak"] {
            let body = json!({"name": "n", "url": world.receiver.url("/a"), "event_types": ["*"], "secret": secret});
            let problem = world.api.post("/api/webhooks/endpoints", &body).await.expect(400);
            assert_eq!(problem["errors"][0]["field"], "secret", "{secret}");
        }
    }
}
