//! Where settings come from, and what happens to bad ones.

mod effect;
mod layers;
mod problems;
mod tokens;

use std::path::PathBuf;

use crate::harness::{Launch, watchdog};

/// A TOML file.
fn file(text: &str) -> PathBuf {
    let path = watchdog::directory("settings").join("posthaste.toml");
    std::fs::write(&path, text).expect("our own directory");
    path
}

/// What `posthaste config` prints of one key.
async fn effective(launch: Launch, key: &str) -> String {
    let finished = launch.finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let start = format!("{key} = ");
    let found = finished.stdout.lines().find_map(|line| line.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("{key} in\n{}", finished.stdout)).trim_matches('"').to_owned()
}
