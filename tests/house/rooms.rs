//! Which room may use which.

use super::sources::{Source, sources};

/// Each room with the rooms that it may use; `app` may use every room.
const ROOMS: [(&str, &[&str]); 13] = [
    ("main", &["app", "cli", "config", "telemetry", "faults"]),
    ("lib", &[]),
    ("config", &["model"]),
    ("model", &[]),
    ("ports", &["model"]),
    ("pipeline", &["model", "ports", "sender", "config", "faults"]),
    ("sender", &["model", "config"]),
    ("backends", &["model", "ports", "config", "faults"]),
    ("faults", &[]),
    ("api", &["model", "ports"]),
    ("cli", &["model"]),
    ("demo", &["model", "ports"]),
    // Metrics and spans observe what the ports describe.
    ("telemetry", &["model", "ports", "config"]),
];

/// The rooms that a line names: `use crate::model::…`, `crate::{model, ports}`.
fn named(line: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    for start in ["crate::", "posthaste::"] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or_default());
            let several = if rest.starts_with('{') { usize::MAX } else { 1 };
            let names = list.split(',').take(several).map(|item| item.split("::").next().unwrap_or_default().trim());
            rooms.extend(names.map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()));
        }
    }
    rooms
}

fn wrong_uses(source: &Source) -> Vec<String> {
    let room = source.room();
    if room == "app" {
        return Vec::new();
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: is in no room of the table", source.path)];
    };
    let is_room = |name: &str| name == "app" || ROOMS.iter().any(|(room, _)| *room == name);
    let lines = source.code().flat_map(|(number, line)| named(line).into_iter().map(move |name| (number, name)));
    let wrong = lines.filter(|(_, name)| is_room(name) && *name != room && !allowed.contains(name));
    wrong.map(|(number, name)| format!("{}:{number}: {room} uses {name}", source.path)).collect()
}

#[test]
fn every_room_uses_only_what_the_table_allows() {
    let wrong: Vec<_> = sources(&["src"]).iter().flat_map(wrong_uses).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_use_is_found_however_it_is_spelled() {
    for line in ["use crate::api::Api;", "let a = crate::api::new();", "use crate::{model, api::Api};"] {
        let source = Source { path: "src/pipeline/lanes.rs".into(), text: format!("use crate::ports::Queue;\n{line}\n") };
        assert_eq!(wrong_uses(&source), ["src/pipeline/lanes.rs:2: pipeline uses api"], "{line}");
    }
}
