//! A queue entry that is no event is kept with its reason, and stops nothing else.

mod reasons;

use posthaste::model::clock;
use serde_json::{Value, json};

use crate::harness::World;

const LIMIT: usize = 256 * 1024;

fn good(id: &str) -> Vec<u8> {
    json!({"id": id, "event_type": "a", "data": 1}).to_string().into_bytes()
}

/// An event of that many bytes.
fn event_of(id: &str, bytes: usize) -> Vec<u8> {
    let bare = String::from_utf8(good(id)).expect("UTF-8").replace("\"data\":1", "\"data\":\"\"");
    bare.replace("\"data\":\"\"", &format!("\"data\":\"{}\"", "x".repeat(bytes - bare.len()))).into_bytes()
}

/// The dead letters, oldest first.
async fn dead_letters(world: &World) -> Vec<Value> {
    let range = redis::cmd("LRANGE").arg(world.key("webhook_dead_letters")).arg(0).arg(-1).to_owned();
    let found: Vec<String> = range.query_async(&mut world.redis().await).await.expect("the server runs");
    found.iter().rev().map(|letter| serde_json::from_str(letter).expect("JSON")).collect()
}

async fn world_with_an_endpoint() -> World {
    let world = World::production().await;
    world.register("/a", &json!({})).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_has_its_reason_its_time_and_the_entry() {
    let world = world_with_an_endpoint().await;
    let before = clock::unix_seconds(clock::now());
    let entry = r#"{"id": "é 1", "event_type": "a",  "data": "\u00e9"}"#;
    world.push(&[entry.to_owned()]).await;
    world.push(&["nonsense \" \\ \n".to_owned()]).await;
    world.push_bytes(&[good("after")]).await;
    world.arrived("after").await;
    world.settled().await;
    let letters = dead_letters(&world).await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    for (letter, entry) in letters.iter().zip([entry, "nonsense \" \\ \n"]) {
        let mut fields: Vec<_> = letter.as_object().expect("an object").keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["at", "entry", "reason"]);
        assert_eq!(letter["entry"], entry);
        assert!(!letter["reason"].as_str().expect("text").is_empty());
        let at = letter["at"].as_f64().expect("a number");
        assert!((before - 1.0..=clock::unix_seconds(clock::now()) + 1.0).contains(&at), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_dead_letters_stop_nothing() {
    let world = world_with_an_endpoint().await;
    let mut entries = Vec::new();
    for number in 0..500 {
        entries.push(format!("{{\"id\":\"bad{number}\"}}").into_bytes());
        entries.push(good(&format!("e{number}")));
    }
    world.push_bytes(&entries).await;
    world.receiver.wait_for(500).await;
    world.settled().await;
    assert_eq!((world.receiver.counts().len(), world.receiver.count()), (500, 500));
    let letters = dead_letters(&world).await;
    let mut kept: Vec<_> = letters.iter().map(|letter| letter["entry"].as_str().expect("text")).collect();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!((letters.len(), kept.len()), (500, 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_over_256_kib_is_kept_and_one_that_just_fits_goes_out() {
    let world = world_with_an_endpoint().await;
    let (big, huge) = (event_of("big", LIMIT + 1), event_of("huge", 8 << 20));
    world.push_bytes(&[event_of("fits", LIMIT), big.clone(), huge.clone(), good("after")]).await;
    assert!(world.arrived("fits").await.body.len() > LIMIT);
    world.arrived("after").await;
    world.settled().await;
    assert_eq!(world.receiver.count(), 2);
    let letters = dead_letters(&world).await;
    assert_eq!(letters.len(), 2);
    for (letter, entry) in letters.iter().zip([big, huge]) {
        let reason = letter["reason"].as_str().expect("text");
        assert!(reason.contains("too large") && reason.contains(&entry.len().to_string()) && reason.contains("262144"), "{reason}");
        assert_eq!(letter["entry"].as_str().expect("text").as_bytes(), entry);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_size_is_a_setting() {
    let world = World::production().set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "200").await;
    world.register("/a", &json!({})).await;
    world.push_bytes(&[event_of("big", 201), event_of("fits", 200)]).await;
    world.arrived("fits").await;
    world.settled().await;
    let letters = dead_letters(&world).await;
    assert_eq!((letters.len(), world.receiver.count()), (1, 1));
    assert!(letters[0]["reason"].as_str().expect("text").contains("too large: 201 bytes"), "{}", letters[0]["reason"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_survive_a_restart_and_are_not_made_twice() {
    let mut world = world_with_an_endpoint().await;
    world.push_bytes(&[b"nonsense".to_vec(), good("before")]).await;
    world.arrived("before").await;
    world.settled().await;
    world.crash().await;
    world.push_bytes(&[good("after")]).await;
    world.arrived("after").await;
    world.settled().await;
    assert_eq!(dead_letters(&world).await.len(), 1);
}
