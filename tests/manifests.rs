//! What operators apply: the manifests in `k8s/`, the Dockerfile and `compose.yaml` are valid, fit the program, and keep what they promise.

mod compose;
mod dockerfile;
mod network;
mod pods;
mod scaling;
mod schemas;
mod wiring;

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Launch, verifiers};

/// Environment variables with plain names, and the setting that each one is.
const PLAIN_NAMES: [(&str, &str); 5] = [
    ("REDIS_URL", "redis.url"),
    ("POSTGRES_URL", "postgres.url"),
    ("WEBHOOK_WORKERS", "worker.in_flight"),
    ("MAX_RETRIES", "retry.max_retries"),
    ("RETRY_DELAY", "retry.delay"),
];

/// Settings that nobody may write down in a manifest.
const SECRETS: [&str; 4] = ["redis.url", "postgres.url", "http.tokens", "security.master_key"];

/// What a process still does after `shutdown.grace`: its last commit and its last answers, five seconds each.
const AFTER_GRACE: f64 = 10.0;

/// An overlay, as `kubectl apply -k` would send it.
struct Rendered {
    overlay: String,
    yaml: String,
    objects: Vec<Value>,
}

/// The pod template of a Deployment or a Job.
struct Pod<'a> {
    /// `large: posthaste-worker`
    name: String,
    labels: &'a Value,
    spec: &'a Value,
}

/// All that is delivered.
async fn overlays() -> [Rendered; 2] {
    [render("k8s/overlays/small").await, render("k8s/overlays/large").await]
}

/// A folder with a kustomization.
async fn render(folder: &str) -> Rendered {
    let output = verifiers::tool("kubectl", &["kustomize", folder]).await;
    let (yaml, said) = (text(&output.stdout), text(&output.stderr));
    // Warnings are about fields that will go.
    assert!(output.status.success() && said.is_empty(), "{folder}: {said}");
    Rendered { overlay: folder.to_owned(), objects: documents(&yaml), yaml }
}

impl Rendered {
    fn all<'a>(&'a self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    fn one(&self, kind: &'static str, name: &str) -> &Value {
        let found = self.all(kind).find(|object| object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{}: no {kind} {name}", self.overlay))
    }

    fn pods(&self) -> Vec<Pod<'_>> {
        let templates = self.objects.iter().filter_map(|object| Some((object, object.pointer("/spec/template")?)));
        let pods = templates.map(|(object, template)| Pod {
            name: format!("{}: {}", self.overlay, name(object)),
            labels: &template["metadata"]["labels"],
            spec: &template["spec"],
        });
        pods.collect()
    }

    fn pod(&self, component: &str) -> Pod<'_> {
        let found = self.pods().into_iter().find(|pod| pod.labels["app.kubernetes.io/component"] == component);
        found.unwrap_or_else(|| panic!("{}: no pod of {component}", self.overlay))
    }

    /// The settings that a ConfigMap gives to all pods.
    fn settings(&self) -> Vec<(String, String)> {
        let data = self.all("ConfigMap").flat_map(|map| map["data"].as_object().into_iter().flatten());
        data.map(|(name, value)| (name.clone(), string(value))).collect()
    }
}

impl Pod<'_> {
    fn containers(&self) -> impl Iterator<Item = &Value> {
        list(&self.spec["initContainers"]).iter().chain(list(&self.spec["containers"]))
    }

    /// Names of variables whose value is in a Secret, with the key there and whether it may be missing.
    fn secrets(&self) -> Vec<(String, String, bool)> {
        let variables = self.containers().flat_map(|container| list(&container["env"]));
        let referring = variables.filter_map(|variable| Some((variable, variable.pointer("/valueFrom/secretKeyRef")?)));
        let found = referring.map(|(variable, from)| {
            assert_eq!(from["name"], "posthaste", "{}", self.name);
            (string(&variable["name"]), string(&from["key"]), from["optional"] == true)
        });
        found.collect()
    }
}

/// Whether a label selector chooses these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(name, value)| labels[name] == *value);
    let expressed = list(&selector["matchExpressions"]).iter().all(|expression| {
        assert_eq!(expression["operator"], "In", "nothing else is understood here");
        list(&expression["values"]).contains(&labels[expression["key"].as_str().unwrap_or_default()])
    });
    equal && expressed
}

/// The setting that a variable of the environment is, as `posthaste config` names it.
fn setting(variable: &str) -> Option<String> {
    let plain = PLAIN_NAMES.iter().find(|(name, _)| *name == variable).map(|(_, key)| (*key).to_owned());
    plain.or_else(|| Some(variable.strip_prefix("POSTHASTE__")?.to_ascii_lowercase().replace("__", ".")))
}

/// `posthaste config` with this environment: every setting that is in force.
async fn config(environment: &[(String, String)]) -> Vec<(String, String)> {
    let launch = Launch::new(["config"]).set("POSTHASTE__GUARD__ALLOW", "");
    let finished = environment.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let lines = finished.stdout.lines().filter_map(|line| line.split_once(" = "));
    lines.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// One setting of those, as a number.
fn number(settings: &[(String, String)], key: &str) -> f64 {
    let (_, value) = settings.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no {key}"));
    value.parse().unwrap_or_else(|error| panic!("{key} is {value}: {error}"))
}

/// Every variable has to be a setting, or the program would refuse to start.
async fn assert_settings(place: &str, variables: impl IntoIterator<Item = String>) {
    let known: HashSet<_> = config(&[]).await.into_iter().map(|(key, _)| key).collect();
    for variable in variables {
        assert!(setting(&variable).is_some_and(|key| known.contains(&key)), "{place}: {variable} is no setting");
    }
}

/// The documents of a YAML text, in which no key may stand twice.
fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}"))
}

/// A file of this package.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("every object has a name")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
