//! A private Prometheus, and its promtool.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::eventually::LONG;
use super::places;
use super::server::{Server, Spec};
use super::watchdog;

/// Gone when it is dropped or the tests end.
pub(crate) struct Prometheus {
    _server: Server,
    base: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// Scrapes these ports of this machine once a second as the job `posthaste`, and evaluates the rules.
    pub(crate) async fn start(ports: &[u16], rules: &Path) -> Self {
        let (dir, port) = (watchdog::directory("prometheus"), places::free_port());
        let targets: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules],
            "scrape_configs": [{"job_name": "posthaste", "static_configs": [{"targets": targets}]}],
        });
        std::fs::write(dir.join("prometheus.yml"), config.to_string()).expect("our own directory");
        let args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"].map(str::to_owned).into_iter();
        let server = Server::new(Spec {
            name: "Prometheus",
            program: places::program("Prometheus", &["prometheus"]),
            args: args.chain([format!("--web.listen-address=127.0.0.1:{port}")]).collect(),
            dir,
            user: None,
            stop_signal: "TERM",
            drop_signal: "KILL",
        });
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().expect("a client");
        let base = format!("http://127.0.0.1:{port}");
        let ready = format!("{base}/-/ready");
        let answers = async |_pid: u32| client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success());
        server.start(answers).await;
        Self { _server: server, base, client }
    }

    /// The series that an expression has now, or why it is none.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("/api/v1/query", &[("query", expression)]).await;
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(answer["error"].as_str().unwrap_or("no result").to_owned()),
        }
    }

    /// All rules that it evaluates.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/rules", &[]).await;
        let groups = answer["data"]["groups"].as_array().expect("groups of rules").clone();
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = url::Url::parse_with_params(&format!("{}{path}", self.base), parameters).expect("a URL");
        let answer = self.client.get(url).send().await.expect("Prometheus runs");
        serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
    }
}

/// Runs `promtool`, and fails with what it says unless it is content.
pub(crate) fn promtool(args: &[&str], input: &str) {
    let Output { status, stdout, stderr } = run(args, input);
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "promtool {}: {status}\n{said}", args.join(" "));
}

fn run(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(places::program("promtool", &["promtool"]));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // It may write before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("promtool runs");
    // One that reads nothing is gone already.
    let _written = writer.join().expect("the writer does not panic");
    output
}
