//! Everything fits the schemas of Kubernetes, and those of the operators whose kinds are used.

use std::path::Path;

use serde_json::{Value, json};

use super::{overlays, read, render, text};
use crate::harness::{verifiers, watchdog};

/// What `validate.py` says about files, and whether they are valid.
async fn validate(files: &[&Path]) -> (bool, String) {
    let files: Vec<_> = files.iter().map(|file| file.to_str().expect("UTF-8")).collect();
    let output = verifiers::tool("python", &[&["tests/manifests/validate.py"], &files[..]].concat()).await;
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn manifests_fit_the_two_newest_versions_of_kubernetes() {
    let folder = watchdog::directory("manifests");
    for (rendered, file) in overlays().await.iter().zip(["small.yaml", "large.yaml"]) {
        let file = folder.join(file);
        std::fs::write(&file, &rendered.yaml).unwrap();
        let (valid, said) = validate(&[&file]).await;
        assert!(valid, "{}: {said}", rendered.overlay);
        let wanted = format!("{} objects fit two versions", rendered.objects.len());
        assert!(said.contains(&wanted), "{}: {said}", rendered.overlay);
    }
}

#[tokio::test]
async fn the_example_of_a_secret_is_valid() {
    let file = watchdog::directory("manifests").join("secret.yaml");
    std::fs::write(&file, read("k8s/secret.example.yaml")).unwrap();
    let (valid, said) = validate(&[&file]).await;
    assert!(valid, "{said}");
}

/// The validation would be worth nothing if it took everything.
#[tokio::test]
async fn what_is_misspelt_or_of_the_wrong_type_is_refused() {
    let rendered = render("k8s/overlays/large").await;
    let folder = watchdog::directory("manifests");
    let wrong = [
        ("Deployment", "/spec/template/spec", "terminationGracePeriod", json!(45)),
        ("Deployment", "/spec/template/spec", "terminationGracePeriodSeconds", json!("45")),
        ("NetworkPolicy", "/spec", "egres", json!([])),
        ("ScaledObject", "/spec", "minReplicas", json!(2)),
        ("ScaledObject", "/spec", "pollingInterval", json!("15s")),
        ("ServiceMonitor", "/spec", "endpoint", json!([])),
        ("TriggerAuthentication", "/spec/secretTargetRef/0", "param", json!("a")),
        ("Gateway", "", "spec", json!({})),
    ];
    for (kind, place, field, value) in wrong {
        let mut object = rendered
            .all(kind)
            .next()
            .cloned()
            .unwrap_or_else(|| json!({"apiVersion": "unheard.of/v1", "kind": kind, "metadata": {"name": "a"}}));
        object.pointer_mut(place).and_then(Value::as_object_mut).expect("an object").insert(field.to_owned(), value);
        let file = folder.join(format!("{kind}-{field}.yaml"));
        // JSON is YAML.
        std::fs::write(&file, object.to_string()).unwrap();
        let (valid, said) = validate(&[&file]).await;
        assert!(!valid && said.contains(kind), "{kind}.{field}: {said}");
    }
}
