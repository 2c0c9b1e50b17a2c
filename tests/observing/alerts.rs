//! The alerts, as Prometheus' own tool sees them.

use super::{anchors, files, path, text};
use crate::harness::{promtool, watchdog};

pub(super) const RULES: &str = "grafana/alerts/posthaste.yaml";

/// The names of all alerts.
fn names() -> Vec<String> {
    text(RULES).lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules() {
    promtool(&["check", "rules", path(RULES).to_str().unwrap()], "");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_configuration_of_compose() {
    const MOUNTED: &str = "/etc/prometheus/alerts";
    let given = text("grafana/prometheus.yaml");
    assert!(given.contains(MOUNTED) && text("compose.yaml").contains(&format!("- ./grafana/alerts:{MOUNTED}:ro")));
    let here = watchdog::directory("prometheus").join("prometheus.yaml");
    std::fs::write(&here, given.replace(MOUNTED, path("grafana/alerts").to_str().unwrap())).unwrap();
    promtool(&["check", "config", here.to_str().unwrap()], "");
}

#[test]
fn every_alert_fires_where_it_should_and_is_silent_where_it_need_not() {
    for file in files("grafana/alerts/tests", ".yaml") {
        promtool(&["test", "rules", path(&file).to_str().unwrap()], "");
    }
}

#[test]
fn every_alert_has_a_case_that_makes_it_fire_and_one_that_keeps_it_silent() {
    let tests: String = files("grafana/alerts/tests", ".yaml").iter().map(|file| text(file)).collect();
    // Each part begins with the name of the alert that it is about, and says what is expected.
    let cases: Vec<_> = tests.split("alertname: ").skip(1).collect();
    for name in names() {
        let own: Vec<_> = cases.iter().filter(|case| case.lines().next() == Some(name.as_str())).collect();
        let silent = own.iter().filter(|case| case.contains("exp_alerts: []")).count();
        assert!(silent > 0, "no case keeps {name} silent");
        assert!(own.len() > silent, "no case makes {name} fire");
    }
}

#[test]
fn every_alert_has_a_section_of_the_runbook_and_every_section_an_alert() {
    let mut alerts: Vec<_> = names().iter().map(|name| name.to_lowercase()).collect();
    let mut sections = anchors();
    alerts.sort();
    sections.sort();
    assert_eq!(alerts, sections);
}

#[test]
fn every_section_of_the_runbook_says_what_it_means_how_to_look_and_what_to_do() {
    let runbook = text("docs/runbook.md");
    for section in runbook.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        for part in ["**Means.**", "**Look.**", "**Do.**", "```sh"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
    }
}
