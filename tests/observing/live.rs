//! A real Prometheus scrapes real processes under load, and every expression that we hand out has something to show.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::alerts::RULES;
use super::listed::{Metrics, exported, listed};
use super::load::Load;
use super::{dashboards, expressions, panels, path, text};
use crate::harness::{Prometheus, promtool};

/// How long all of it may take to have something to show: rates need a few scrapes, and a breaker needs a few timeouts.
const PATIENCE: Duration = Duration::from_secs(60);
/// What Grafana makes of `$__rate_interval` with a scrape a second, and some more, for this machine may be busy.
const WINDOW: &str = "10s";

/// An expression of a dashboard as Grafana would send it, everything chosen.
fn filled(expression: &str) -> String {
    let all = expression.replace("=\"$endpoint_name\"", "=~\".+\"");
    all.replace("$__rate_interval", WINDOW).replace("$job", ".*").replace("$instance", ".*")
}

/// An alert's expression without its comparisons: what it looks at, whether it fires or not.
fn compared(query: &str) -> String {
    let mut words = query.split_whitespace();
    let mut kept: Vec<String> = Vec::new();
    while let Some(word) = words.next() {
        if [">", "<", "==", "!=", ">=", "<="].contains(&word) {
            let number = words.next().unwrap();
            let rest = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            kept.last_mut().unwrap().push_str(rest);
        } else {
            kept.push(word.to_owned());
        }
    }
    kept.join(" ")
}

/// Everything that must show something, by where it stands.
async fn all_expressions(prometheus: &Prometheus) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, board) in dashboards() {
        for panel in panels(&board) {
            for (number, expression) in expressions(panel).into_iter().enumerate() {
                all.insert(format!("{name}, panel {} {}, {number}", panel["id"], panel["title"]), filled(expression));
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            let query = variable["definition"].as_str().and_then(|query| query.strip_prefix("label_values("));
            if let Some((series, _)) = query.and_then(|query| query.rsplit_once(',')) {
                all.insert(format!("{name}, variable {}", variable["name"]), filled(series));
            }
        }
    }
    for rule in prometheus.rules().await {
        all.insert(format!("alert {}", rule["name"]), compared(rule["query"].as_str().unwrap()));
    }
    all
}

/// Asks until each of them has series.
async fn each_shows_something(prometheus: &Prometheus, mut left: BTreeMap<String, String>) {
    let end = Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(
            Instant::now() < end,
            "these show nothing:\n{}",
            left.iter().map(|(at, what)| format!("{at}: {what}\n")).collect::<String>()
        );
        let mut empty = BTreeMap::new();
        for (at, expression) in left {
            let series = prometheus.query(&expression).await.unwrap_or_else(|error| panic!("{at}: {expression}: {error}"));
            if series.is_empty() {
                empty.insert(at, expression);
            }
        }
        left = empty;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn checked(rule: &Value) {
    let name = rule["name"].as_str().unwrap();
    assert_ne!(rule["health"], "err", "{name}: {}", rule["lastError"]);
    assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap_or_default()), "{name} has no severity");
    for annotation in ["summary", "description"] {
        assert!(rule["annotations"][annotation].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {annotation}");
    }
    let url = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
    assert!(url.ends_with(&format!("/runbook.md#{}", name.to_lowercase())), "{name}: {url}");
}

/// The runbook's questions, as they stand there.
fn questions() -> Vec<String> {
    let runbook = text("docs/runbook.md");
    let asked = runbook.lines().filter(|line| line.starts_with("prom '")).flat_map(|line| line.split("prom '").skip(1));
    asked.map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

/// The runbook's SQL, as it stands there.
fn statements() -> Vec<String> {
    let runbook = text("docs/runbook.md");
    let asked = runbook.lines().filter_map(|line| line.strip_prefix("psql \"$POSTGRES_URL\" -c "));
    asked.map(|rest| rest.trim_matches(['"', '\'']).replace("= ID ", "= 1 ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_shows_something_under_load_and_every_metric_is_listed() {
    let load = Load::start().await;
    let ports = [load.world.app.port(), load.worker.port()];
    let prometheus = Prometheus::start(&ports, &path(RULES)).await;
    each_shows_something(&prometheus, all_expressions(&prometheus).await).await;

    let rules = prometheus.rules().await;
    assert!(rules.len() > 10, "{rules:?}");
    rules.iter().for_each(checked);
    for question in questions() {
        prometheus.query(&question).await.unwrap_or_else(|error| panic!("{question}: {error}"));
    }

    let mut found = Metrics::new();
    for api in [load.world.api.clone(), load.worker.api()] {
        let text = api.get("/metrics").await.text;
        exported(&text, &mut found);
        promtool(&["check", "metrics"], &text);
    }
    assert_eq!(found, listed(), "what is exported, and what docs/metrics.md lists");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbooks_sql_is_understood() {
    let world = crate::harness::World::production().await;
    let sql = world.sql().await;
    let statements = statements();
    assert!(statements.len() > 5);
    for statement in statements {
        sql.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

#[test]
fn comparisons_are_taken_out_of_an_alert() {
    for (query, wanted) in [
        ("max by (job) (a) > 300", "max by (job) (a)"),
        ("avg(a / (b > 0)) > 0.9", "avg(a / (b))"),
        ("up == 0 and on (job) c", "up and on (job) c"),
        ("a == 0 or absent(a)", "a or absent(a)"),
    ] {
        assert_eq!(compared(query), wanted);
    }
}
