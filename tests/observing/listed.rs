//! `docs/metrics.md` against what the program exports.

use std::collections::{BTreeMap, BTreeSet};

use super::{dashboards, expressions, metrics_in, panels, text};

/// Type and labels by name.
pub(crate) type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// What the tables of the document say.
pub(crate) fn listed() -> Metrics {
    let document = text("docs/metrics.md");
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let read = |row: &str| {
        let cells: Vec<_> = row.split('|').collect();
        let labels = cells[3].split(',').map(plain).filter(|label| !label.is_empty()).collect();
        (plain(cells[1]), (plain(cells[2]), labels))
    };
    rows.map(read).collect()
}

/// What `/metrics` says. Labels are those of all samples together.
pub(super) fn exported(text: &str, into: &mut Metrics) {
    let mut name = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (declared, kind) = rest.split_once(' ').unwrap();
            declared.clone_into(&mut name);
            into.entry(name.clone()).or_insert_with(|| (kind.to_owned(), BTreeSet::new()));
        } else if let Some((_, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let labels = labels.rsplit_once('}').unwrap().0.split("\",").map(|label| label.split('=').next().unwrap());
            let own = &mut into.get_mut(&name).unwrap().1;
            own.extend(labels.filter(|label| *label != "le").map(str::to_owned));
        }
    }
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_are_listed() {
    let listed = listed();
    let mut asked: Vec<_> = text(super::alerts::RULES).lines().filter(|line| line.contains('(')).flat_map(metrics_in).collect();
    asked.extend(text("docs/runbook.md").lines().filter(|line| line.starts_with("prom '")).flat_map(metrics_in));
    for (_, board) in dashboards() {
        asked.extend(panels(&board).into_iter().flat_map(expressions).flat_map(metrics_in));
    }
    let unknown: BTreeSet<_> = asked.into_iter().filter(|name| !listed.contains_key(name)).collect();
    assert!(unknown.is_empty(), "docs/metrics.md does not list {unknown:?}");
}

#[test]
fn every_metric_that_is_listed_is_on_a_dashboard() {
    let boards = dashboards();
    let shown: BTreeSet<_> = boards.iter().flat_map(|(_, board)| panels(board)).flat_map(expressions).flat_map(metrics_in).collect();
    let unseen: Vec<_> = listed().into_keys().filter(|name| !shown.contains(name)).collect();
    assert!(unseen.is_empty(), "no dashboard shows {unseen:?}");
}
