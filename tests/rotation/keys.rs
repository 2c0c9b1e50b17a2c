//! Master keys come, change and get lost.

use serde_json::{Value, json};

use super::at_rest::KEY;
use crate::harness::{LONG, Launch, Process, Receiver, Stores, eventually, watchdog, world};

const OTHER: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A program that is started with these keys; the one before is gone.
async fn start(stores: &Stores, keys: &str) -> Process {
    world::launch(stores, "all", &[("POSTHASTE__SECURITY__MASTER_KEY".to_owned(), keys.to_owned())]).start().await
}

/// `posthaste secrets encrypt`: whether it is done, and what it says.
async fn encrypt(stores: &Stores, keys: &str) -> (bool, String) {
    let launch = match stores {
        Stores::Production { postgres_url, .. } => Launch::new(["secrets", "encrypt"]).set("POSTGRES_URL", postgres_url),
        Stores::Embedded { file } => {
            Launch::new(["secrets", "encrypt", "--dev"]).set("POSTHASTE__SQLITE__PATH", &file.display().to_string())
        }
    };
    let finished = launch.set("POSTHASTE__SECURITY__MASTER_KEY", keys).finish().await;
    (finished.code == Some(0), finished.stderr)
}

async fn assert_signs(process: &Process, receiver: &Receiver, event: &str, secret: &str) {
    process.api().send_id(event).await;
    let request = eventually(LONG, async || receiver.requests().into_iter().find(|request| request.event_id() == event)).await;
    crate::signing::assert_first_signed(&request, secret);
}

async fn keys_come_and_change(stores: Stores) {
    let receiver = Receiver::start().await;
    let mut process = start(&stores, "").await;
    process.logged(&["WARN", "security.master_key is not set"]).await;
    let plain = process.api().register(&receiver.url("/a"), &json!({})).await;
    assert_signs(&process, &receiver, "1", &plain.secret).await;
    process.kill();

    // What was kept as it is works on, and is encrypted when that is asked for.
    let mut process = start(&stores, KEY).await;
    assert_signs(&process, &receiver, "2", &plain.secret).await;
    let path = format!("/api/webhooks/endpoints/{}", plain.id);
    let before = process.api().get(&path).await.expect(200)["updated_at"].clone();
    if matches!(stores, Stores::Embedded { .. }) {
        let (done, said) = encrypt(&stores, KEY).await;
        assert!(!done && said.contains("stop it first"), "{said}");
        process.kill();
    }
    let (done, said) = encrypt(&stores, KEY).await;
    assert!(done && said.contains("encrypted=1"), "{said}");
    let (done, said) = encrypt(&stores, KEY).await;
    assert!(done && said.contains("encrypted=0"), "begun again, there is nothing left: {said}");
    if matches!(stores, Stores::Embedded { .. }) {
        process = start(&stores, KEY).await;
    }
    assert_signs(&process, &receiver, "3", &plain.secret).await;
    assert_eq!(process.api().get(&path).await.expect(200)["updated_at"], before, "its owner did nothing");
    process.kill();

    // The key is changed: both are given, then everything is encrypted anew, then the old one goes.
    let (done, said) = encrypt(&stores, &format!("{OTHER},{KEY}")).await;
    assert!(done && said.contains("encrypted=1"), "{said}");
    let mut process = start(&stores, OTHER).await;
    assert_signs(&process, &receiver, "4", &plain.secret).await;
    process.kill();
    let (done, said) = encrypt(&stores, "").await;
    assert!(!done && said.contains("openssl rand -base64 32"), "{said}");
}

async fn what_waits_for_a_lost_key_is_sent_when_it_is_back(stores: Stores) {
    let receiver = Receiver::start().await;
    let mut process = start(&stores, KEY).await;
    let locked = process.api().register(&receiver.url("/locked"), &json!({"max_retries": 1})).await;
    process.kill();
    let mut process = start(&stores, OTHER).await;
    let open = process.api().register(&receiver.url("/open"), &json!({})).await;
    process.logged(&["ERROR", "is encrypted with the key", "not among those of security.master_key"]).await;
    process.api().send_id("e").await;
    let of = |id: i64| move |delivery: &Value| delivery["endpoint_id"] == id;
    let waiting = |delivery: &Value| of(locked.id)(delivery) && delivery["next_retry_at"] != Value::Null;
    let delivery = process.api().delivery_of("e", waiting).await;
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("pending"), &json!(0)));
    process.api().delivery_of("e", |delivery| of(open.id)(delivery) && delivery["status"] == "delivered").await;
    let refused = process.api().post(&format!("/api/webhooks/endpoints/{}/rotate-secret", locked.id), &json!({})).await;
    assert!(refused.status == 409 && refused.text.contains("security.master_key"), "{}", refused.text);
    let tested = process.api().post(&format!("/api/webhooks/{}/test", locked.id), &json!({})).await;
    assert!(tested.status == 409 && tested.text.contains("security.master_key"), "{}", tested.text);
    let diagnosis = process.api().get(&format!("/api/webhooks/{}/diagnose", locked.id)).await.expect(200);
    assert!(diagnosis["issues"][0].as_str().unwrap().contains("is encrypted with the key"), "{diagnosis}");
    assert!(receiver.requests_to("/locked").iter().all(|request| request.method == "HEAD"), "nothing is signed with nothing");
    process.api().patch(&format!("/api/webhooks/endpoints/{}", locked.id), &json!({"name": "renamed"})).await.expect(200);
    let (done, said) = encrypt_beside(&stores, &mut process).await;
    assert!(!done && said.contains("1 endpoint(s) cannot be read"), "{said}");
    process.kill();
    let process = start(&stores, &format!("{OTHER},{KEY}")).await;
    let delivery = process.api().delivery_of("e", |delivery| of(locked.id)(delivery) && delivery["status"] == "delivered").await;
    assert_eq!(delivery["attempt_count"], 1);
    let request = receiver.requests_to("/locked").into_iter().find(|request| request.event_id() == "e").expect("it was delivered");
    crate::signing::assert_first_signed(&request, &locked.secret);
}

/// The file is for one process alone.
async fn encrypt_beside(stores: &Stores, process: &mut Process) -> (bool, String) {
    if matches!(stores, Stores::Embedded { .. }) {
        process.kill();
    }
    encrypt(stores, OTHER).await
}

macro_rules! in_both {
    ($($name:ident)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_production() {
                super::$name(super::Stores::production().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                let file = super::watchdog::directory("sqlite").join("posthaste.sqlite");
                super::$name(super::Stores::Embedded { file }).await;
            }
        }
    )+};
}
in_both! { keys_come_and_change what_waits_for_a_lost_key_is_sent_when_it_is_back }
