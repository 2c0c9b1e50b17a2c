//! The bytes of `data` reach the receiver as they came in, on the first attempt and on every other.

use serde_json::json;

use crate::harness::{Door, World, both_modes};

/// Key order, the spelling of numbers, and escapes: everything that reading and writing JSON would change.
const DATA: &str = concat!(
    r#"{"z":1.0,"a":1e3,"m":12345678901234567890,"é":"é","e":"\u00e9","E":1E+2,"zero":-0.0,"long":0.1000000000000000055511151231257827,"#,
    r#""far":1e400,"twice":1,"twice":2,"":[[],{},null,true],"s":"\/ \" \\ \b\f\n\r\t 日本 \ud83d\ude00 😀","space":" a  b ","#,
    r#""nul":"\u0000","half":"\ud800","1":{"b":{"y":0.10,"x":[3,2,1]},"a":-1}}"#
);

/// With white space between all tokens, which need not be kept.
fn spaced() -> String {
    let mut spaced = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for character in DATA.chars() {
        let ends = in_string && character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
        in_string = if in_string { !ends } else { character == '"' };
        spaced.push(character);
        if !in_string && "{}[],:".contains(character) {
            spaced.push_str(" \n\t\r");
        }
    }
    spaced
}

fn event(door: Door, data: &str) -> String {
    format!(r#"{{"id":"{door:?}","event_type":"a","data":{data},"timestamp":1763757296.1234567,"source":"\u00e9","version":"1.0"}}"#)
}

/// The whole body, byte for byte.
fn body(door: Door) -> String {
    format!(r#"{{"id":"{door:?}","event_type":"a","data":{DATA},"timestamp":1763757296.1234567,"source":"é","version":"1.0"}}"#)
}

/// Sends `data` through every door to an endpoint that fails twice, and looks at all three attempts.
async fn assert_every_attempt_carries_the_bytes(world: &World, data: &str) {
    world.register("/a", &json!({"retry_delay": 0.05, "max_retries": 3})).await;
    for door in world.doors() {
        world.receiver.statuses("/a", [500, 503, 204]);
        world.enqueue(door, &[event(door, data)]).await;
        world.arrived(&format!("{door:?}")).await;
        world.settled().await;
        let requests = world.receiver.requests();
        let attempts: Vec<_> = requests.iter().filter(|request| request.event_id() == format!("{door:?}")).collect();
        assert_eq!(attempts.len(), 3, "{door:?}");
        for attempt in attempts {
            assert_eq!(attempt.text(), body(door), "{door:?}, attempt {}", attempt.attempt());
        }
    }
}

both_modes! {
    async fn data_arrives_byte_for_byte_on_the_first_attempt_and_on_retries(setup: Setup) {
        assert_every_attempt_carries_the_bytes(&setup.await, DATA).await;
    }

    async fn white_space_between_tokens_is_all_that_may_change(setup: Setup) {
        assert_every_attempt_carries_the_bytes(&setup.await, &spaced()).await;
    }

    async fn data_is_the_same_after_a_restart(setup: Setup) {
        // What the crash left unsettled is taken over when this ends.
        let mut world = setup.set("POSTHASTE__REDIS__LEASE", "3").await;
        world.register("/a", &json!({"retry_delay": 5})).await;
        world.receiver.statuses("/a", [500, 204]);
        for door in world.doors() {
            world.enqueue(door, &[event(door, DATA)]).await;
            world.arrived(&format!("{door:?}")).await;
        }
        world.api.wait_for_deliveries("retrying", 1).await;
        world.crash().await;
        world.settled().await;
        for door in world.doors() {
            let requests = world.receiver.requests();
            let attempts: Vec<_> = requests.iter().filter(|request| request.event_id() == format!("{door:?}")).collect();
            assert!(attempts.iter().all(|attempt| attempt.text() == body(door)), "{attempts:?}");
        }
        assert!(world.receiver.requests().iter().any(|request| request.attempt() == 2));
    }

    async fn deeply_nested_and_large_data_arrives_whole(setup: Setup) {
        let world = setup.await;
        world.register("/a", &json!({})).await;
        for door in world.doors() {
            let deep = format!("{}1.0{}", "[".repeat(512), "]".repeat(512));
            let large = format!(r#"["{}"]"#, "é".repeat(130_000));
            for (name, data) in [("deep", deep), ("large", large)] {
                let id = format!("{name}-{door:?}");
                world.enqueue(door, &[format!(r#"{{"id":"{id}","event_type":"a","data":{data}}}"#)]).await;
                let request = world.arrived(&id).await;
                assert!(request.text().contains(&format!(r#""data":{data},"timestamp""#)), "{id}");
            }
        }
    }
}

#[test]
fn the_spaced_data_is_the_same_json() {
    assert_ne!(spaced(), DATA);
    let without: String = spaced().replace(" \n\t\r", "");
    assert_eq!(without, DATA);
}
