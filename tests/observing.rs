//! Dashboards, alerts, the runbook and the list of metrics are about what the program really exports.

mod alerts;
mod dashboards;
pub(crate) mod listed;
mod live;
mod load;

use std::path::PathBuf;

use serde_json::Value;

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of a folder of the repository whose names end so, by their names from the root.
fn files(folder: &str, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names.filter(|name| name.ends_with(end)).map(|name| format!("{folder}/{name}")).collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has no {end}");
    found
}

/// The anchors of the runbook's sections.
fn anchors() -> Vec<String> {
    text("docs/runbook.md").lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect()
}

/// Every dashboard, with the name of its file.
fn dashboards() -> Vec<(String, Value)> {
    let read = |name: String| (serde_json::from_str(&text(&name)).unwrap_or_else(|error| panic!("{name}: {error}")), name);
    files("grafana/dashboards", ".json").into_iter().map(read).map(|(board, name)| (name, board)).collect()
}

/// The panels that show something.
fn panels(board: &Value) -> Vec<&Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// The expressions of a panel.
fn expressions(panel: &Value) -> Vec<&str> {
    panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap()).collect()
}

/// The names of our metrics in an expression, as the program declares them.
pub(crate) fn metrics_in(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("webhook_") || word.starts_with("process_"));
    let declared = |word: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned();
    ours.map(declared).collect()
}
