//! The port that it shall listen on.

use tokio::net::TcpListener;

use crate::harness::{Launch, Stores, watchdog, world};

async fn assert_fails_on_a_taken_port(launch: Launch) {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let finished = launch.on_port(port).finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("127.0.0.1:{port}")), "{}", finished.stderr);
    assert!(finished.stderr.contains("POSTHASTE__HTTP__LISTEN"), "it says what to do: {}", finished.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_in_use_ends_serve_with_1_and_what_to_do() {
    for role in ["all", "api", "worker"] {
        assert_fails_on_a_taken_port(world::launch(&Stores::production().await, role, &[])).await;
    }
}

#[tokio::test]
async fn a_port_that_is_in_use_ends_dev_with_1_and_what_to_do() {
    assert_fails_on_a_taken_port(Launch::dev(&watchdog::directory("sqlite").join("posthaste.sqlite"))).await;
}
