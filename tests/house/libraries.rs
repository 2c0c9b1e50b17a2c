//! Which library lives where: each can be replaced in one place.

use super::sources::{Source, has_word, sources};

/// A library, and the rooms or files that may name it.
const PLACES: [(&str, &[&str]); 21] = [
    ("fail", &["src/faults"]),
    ("reqwest", &["src/cli", "src/telemetry/traces"]),
    ("hyper_util", &["src/sender"]),
    ("h2", &["src/sender"]),
    ("tokio_rustls", &["src/sender"]),
    ("redis", &["src/backends/redis"]),
    ("diesel", &["src/backends/postgres", "src/backends/sqlite"]),
    ("diesel_async", &["src/backends/postgres"]),
    ("bb8", &["src/backends/postgres"]),
    ("diesel_migrations", &["src/backends/postgres", "src/backends/sqlite"]),
    ("tokio_postgres", &["src/backends/postgres"]),
    ("libsqlite3_sys", &["src/backends/sqlite"]),
    ("ring", &["src/backends/vault"]),
    ("prometheus", &["src/telemetry"]),
    ("axum", &["src/api", "src/demo", "src/cli/listen"]),
    ("mimalloc", &["src/main"]),
    ("clap_complete", &["src/main"]),
    ("utoipa", &["src/api"]),
    ("utoipa_axum", &["src/api"]),
    ("pulldown_cmark", &["src/api/openapi"]),
    ("criterion", &["benches/micro"]),
];

fn lives_in(source: &Source, place: &str) -> bool {
    source.path == format!("{place}.rs") || source.path.starts_with(&format!("{place}/"))
}

/// A line names a library by a path that starts with it: `redis::Client`, `use redis;`, `::redis`.
fn names(line: &str, library: &str) -> bool {
    let own = ["crate::", "self::", "super::", "backends::", "crypto::"].map(|start| format!("{start}{library}"));
    let rest = own.iter().fold(line.to_owned(), |line, own| line.replace(own.as_str(), ""));
    has_word(&rest, library) && (rest.contains(&format!("{library}::")) || rest.trim_start().starts_with("use "))
}

#[test]
fn each_library_is_named_in_its_place_only() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        for (library, places) in PLACES {
            if !places.iter().any(|place| lives_in(&source, place)) {
                let lines = source.code().filter(|(_, line)| names(line, library));
                wrong.extend(
                    lines.map(|(number, _)| format!("{}:{number}: names {library}, which lives in {}", source.path, places.join(", "))),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn backoff_is_named_in_one_file() {
    let naming: Vec<_> = sources(&["src"]).into_iter().filter(|source| source.code().any(|(_, line)| line.contains("backoff::"))).collect();
    let own = naming.iter().filter(|source| source.code().any(|(_, line)| names(line, "backoff")));
    let paths: Vec<_> = own.map(|source| source.path.as_str()).collect();
    assert!(paths.len() <= 1, "{paths:?}");
}
