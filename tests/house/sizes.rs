//! How long a file may be, and how modules are laid out.

use super::sources::sources;

#[test]
fn no_file_is_longer_than_400_lines() {
    let long: Vec<_> = sources(&["src", "tests", "benches"]).into_iter().filter(|source| source.text.lines().count() > 400).collect();
    assert!(long.is_empty(), "split these: {:?}", long.iter().map(|source| &source.path).collect::<Vec<_>>());
}

#[test]
fn there_is_no_mod_rs() {
    let found: Vec<_> = sources(&["src", "tests", "benches"]).into_iter().filter(|source| source.path.ends_with("/mod.rs")).collect();
    assert!(found.is_empty(), "{:?}", found.iter().map(|source| &source.path).collect::<Vec<_>>());
}
