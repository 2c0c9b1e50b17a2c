//! Whether the parts find each other.

use std::path::Path;

use serde_json::{Value, json};

use super::{Rendered, documents, list, name, overlays, read, render, root, selects, string};
use crate::harness::watchdog;

/// Kinds that are in no namespace.
const CLUSTER_WIDE: [&str; 1] = ["Namespace"];

fn assert_namespace(rendered: &Rendered, namespace: &str) {
    assert_eq!(rendered.all("Namespace").map(name).collect::<Vec<_>>(), [namespace]);
    for object in rendered.objects.iter().filter(|object| !CLUSTER_WIDE.contains(&object["kind"].as_str().unwrap())) {
        assert_eq!(object["metadata"]["namespace"], namespace, "{}: {} {}", rendered.overlay, object["kind"], name(object));
    }
}

#[tokio::test]
async fn everything_is_in_one_namespace_that_refuses_pods_with_rights() {
    for rendered in overlays().await {
        assert_namespace(&rendered, "posthaste");
        let labels = &rendered.one("Namespace", "posthaste")["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted", "{}", rendered.overlay);
    }
}

#[tokio::test]
async fn services_lead_to_the_pods_of_one_kind_and_prometheus_finds_both() {
    for rendered in overlays().await {
        let monitor = &rendered.one("ServiceMonitor", "posthaste")["spec"];
        for component in ["api", "worker"] {
            let service = rendered.one("Service", &format!("posthaste-{component}"));
            let selector = json!({"matchLabels": service["spec"]["selector"]});
            let chosen: Vec<_> = rendered.pods().into_iter().filter(|pod| selects(&selector, pod.labels)).collect();
            let [pod] = &chosen[..] else { panic!("{}: {component}", rendered.overlay) };
            assert_eq!(pod.labels["app.kubernetes.io/component"], component, "{}", rendered.overlay);
            let port = &list(&service["spec"]["ports"])[0];
            let named = |container: &Value| list(&container["ports"]).iter().any(|own| own["name"] == port["targetPort"]);
            assert!(pod.containers().any(named), "{}: {component}", rendered.overlay);

            assert!(selects(&monitor["selector"], &service["metadata"]["labels"]), "{}: {component}", rendered.overlay);
            let [endpoint] = list(&monitor["endpoints"]) else { panic!("{}", rendered.overlay) };
            assert_eq!((&endpoint["port"], &endpoint["path"]), (&port["name"], &json!("/metrics")), "{}", rendered.overlay);
        }
    }
}

#[tokio::test]
async fn the_image_is_of_this_version() {
    for rendered in overlays().await {
        for pod in rendered.pods() {
            for container in pod.containers() {
                assert_eq!(container["image"], concat!("posthaste:", env!("CARGO_PKG_VERSION")), "{}", pod.name);
            }
        }
    }
}

#[tokio::test]
async fn the_example_of_a_secret_has_all_that_is_referred_to_and_is_applied_by_nobody() {
    let [example] = &documents(&read("k8s/secret.example.yaml"))[..] else { panic!("one document") };
    assert_eq!((name(example), &example["metadata"]["namespace"]), ("posthaste", &json!("posthaste")));
    for (key, value) in example["stringData"].as_object().unwrap() {
        assert!(string(value).contains("CHANGE-ME"), "{key} looks real");
    }
    for rendered in overlays().await {
        for pod in rendered.pods() {
            for (_, key, _) in pod.secrets() {
                assert!(example["stringData"].get(&key).is_some(), "{}: {key}", pod.name);
            }
        }
    }
    for kustomization in kustomizations(&root().join("k8s")) {
        let text = std::fs::read_to_string(&kustomization).unwrap();
        let named = text.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains("secret"));
        assert_eq!(named.count(), 0, "{}", kustomization.display());
    }
}

/// All kustomizations below a folder.
fn kustomizations(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| kustomizations(path));
    below.chain(entries.iter().filter(|path| path.ends_with("kustomization.yaml")).cloned()).collect()
}

#[tokio::test]
async fn every_file_of_a_folder_is_in_its_kustomization() {
    let found = kustomizations(&root().join("k8s"));
    assert_eq!(found.len(), 4);
    for kustomization in found {
        let text = std::fs::read_to_string(&kustomization).unwrap();
        for file in kustomization.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            assert!(file == "kustomization.yaml" || text.contains(&file), "{}: {file}", kustomization.display());
        }
    }
}

/// The one in k8s/README.md, which people copy.
#[tokio::test]
async fn an_overlay_of_your_own_changes_the_namespace_the_image_and_settings() {
    let readme = read("k8s/README.md");
    let block = readme.split("```yaml\n").find(|block| block.trim_start().starts_with("# kustomization.yaml")).expect("an overlay");
    // It stands in a list.
    let block: Vec<_> = block.split("```").next().unwrap().lines().map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
    let block = block.join("\n");
    let folder = watchdog::directory("overlay").canonicalize().unwrap();
    // Kustomize takes no absolute paths.
    let up = "../".repeat(folder.components().count() - 1);
    let base = format!("{up}{}", root().join("k8s").display().to_string().trim_start_matches('/'));
    assert!(block.contains("posthaste/k8s/"), "{block}");
    std::fs::write(folder.join("kustomization.yaml"), block.replace("posthaste/k8s", &base)).unwrap();
    let rendered = render(folder.to_str().unwrap()).await;
    assert_namespace(&rendered, "events");
    for pod in rendered.pods() {
        for container in pod.containers() {
            assert_eq!(container["image"], concat!("images.example.com/posthaste:", env!("CARGO_PKG_VERSION")), "{}", pod.name);
        }
    }
    let settings = rendered.settings();
    assert!(settings.contains(&("POSTHASTE__RETENTION__DAYS".into(), "14".into())), "{settings:?}");
    assert!(settings.iter().any(|(name, _)| name == "POSTHASTE__HTTP__LISTEN"), "those of the base stay: {settings:?}");
}
