//! What every panel must have, so that somebody can read it at night.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{anchors, dashboards, panels};

/// Those that Grafana 10 and later have.
const TYPES: [&str; 8] = ["bargauge", "gauge", "heatmap", "piechart", "stat", "state-timeline", "table", "timeseries"];

/// What is wrong with a panel.
fn problems(panel: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |right: bool, what: &str| {
        if !right {
            problems.push(format!("{}: {what}", panel["title"]));
        }
    };
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    must(filled(&panel["title"]), "has no title");
    must(filled(&panel["description"]), "has no description");
    must(panel["type"].as_str().is_some_and(|kind| TYPES.contains(&kind)), "is of a type that Grafana 10 does not have");
    must(filled(&panel["fieldConfig"]["defaults"]["unit"]), "has no unit");
    must(panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "has no thresholds");
    must(panel["datasource"]["uid"] == "${datasource}", "has a data source of its own");
    let anchor = panel["links"][0]["url"].as_str().and_then(|url| url.strip_prefix("${runbook}#"));
    must(anchor.is_some_and(|anchor| anchors().iter().any(|known| known == anchor)), "links to no section of the runbook");
    for target in panel["targets"].as_array().unwrap() {
        must(filled(&target["expr"]), "has an empty expression");
        must(target["datasource"]["uid"] == "${datasource}", "asks a data source of its own");
        must(target["expr"].as_str().is_some_and(|expr| expr.contains("$job")), "shows other installations too");
    }
    problems
}

#[test]
fn every_panel_has_a_description_a_unit_thresholds_and_a_link_to_the_runbook() {
    let problems: Vec<_> = dashboards()
        .iter()
        .flat_map(|(name, board)| {
            panels(board).into_iter().flat_map(problems).map(|problem| format!("{name}: {problem}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn panels_have_ids_of_their_own_and_lie_beside_one_another() {
    for (name, board) in dashboards() {
        let all = board["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), all.len(), "{name}");
        let mut taken = BTreeSet::new();
        for panel in all {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{name}: {}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name}: {} lies upon another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn dashboards_let_one_choose_the_data_source_and_the_job() {
    let mut uids = BTreeSet::new();
    for (name, board) in dashboards() {
        assert!(board["schemaVersion"].as_u64().unwrap() >= 38, "{name}");
        assert!(uids.insert(board["uid"].to_string()), "{name} has the uid of another one");
        let variables = board["templating"]["list"].as_array().unwrap();
        let kind = |wanted: &str| variables.iter().find(|variable| variable["name"] == wanted).map(|variable| variable["type"].clone());
        assert_eq!(kind("datasource"), Some("datasource".into()), "{name}");
        assert_eq!(kind("job"), Some("query".into()), "{name}");
        assert_eq!(kind("runbook"), Some("constant".into()), "{name}");
    }
}
