//! How many pods there are, and who decides.

use serde_json::Value;

use super::{Rendered, documents, list, name, overlays, read, render, selects, string};
use crate::observing::{listed::listed, metrics_in};

/// Whatever sets the number of a Deployment's pods: its name, the Deployment's, and the smallest and largest number.
fn scalers(rendered: &Rendered) -> Vec<(&str, &str, u64, u64)> {
    let by_cpu = rendered.all("HorizontalPodAutoscaler").map(|object| (object, "minReplicas", "maxReplicas"));
    let by_queue = rendered.all("ScaledObject").map(|object| (object, "minReplicaCount", "maxReplicaCount"));
    let read = by_cpu.chain(by_queue).map(|(object, min, max)| {
        let spec = &object["spec"];
        (name(object), spec["scaleTargetRef"]["name"].as_str().unwrap(), spec[min].as_u64().unwrap(), spec[max].as_u64().unwrap())
    });
    read.collect()
}

#[tokio::test]
async fn every_deployment_is_scaled_by_one_alone_and_has_two_pods_at_least() {
    for rendered in overlays().await {
        assert_eq!(rendered.all("Deployment").count(), 2, "{}", rendered.overlay);
        for deployment in rendered.all("Deployment") {
            let found: Vec<_> = scalers(&rendered).into_iter().filter(|(_, target, _, _)| *target == name(deployment)).collect();
            let [(_, _, min, max)] = found[..] else { panic!("{}: {}: {found:?}", rendered.overlay, name(deployment)) };
            assert!(min >= 2 && max > min, "{}: {}", rendered.overlay, name(deployment));
            // Each `apply` would set it back.
            assert_eq!(deployment["spec"]["replicas"], Value::Null, "{}: {}", rendered.overlay, name(deployment));
        }
    }
}

#[tokio::test]
async fn a_node_that_is_drained_takes_some_pods_of_a_deployment_and_not_all() {
    for rendered in overlays().await {
        for deployment in rendered.all("Deployment") {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            let budgets: Vec<_> =
                rendered.all("PodDisruptionBudget").filter(|budget| selects(&budget["spec"]["selector"], labels)).collect();
            let [budget] = budgets[..] else { panic!("{}: {}: {budgets:?}", rendered.overlay, name(deployment)) };
            // Two budgets for one pod would keep it from being moved at all; one that allows none, too.
            let allowed = &budget["spec"]["maxUnavailable"];
            assert!(*allowed == 1 || *allowed == "25%", "{}: {allowed}", rendered.overlay);
            let spread = list(&deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]);
            assert!(spread.iter().all(|constraint| selects(&constraint["labelSelector"], labels)), "{}: {spread:?}", rendered.overlay);
            assert!(spread.iter().any(|constraint| constraint["topologyKey"] == "kubernetes.io/hostname"), "{}", rendered.overlay);
        }
    }
}

#[tokio::test]
async fn in_large_workers_are_scaled_by_the_queues_length_and_its_age() {
    let rendered = render("k8s/overlays/large").await;
    let scaled = rendered.one("ScaledObject", "posthaste-worker");
    let triggers = list(&scaled["spec"]["triggers"]);
    let redis = triggers.iter().find(|trigger| trigger["type"] == "redis").expect("the list's length");
    assert_eq!(redis["metadata"]["listName"], "webhook_events");
    let queries: Vec<_> = triggers.iter().filter(|trigger| trigger["type"] == "prometheus").map(|trigger| &trigger["metadata"]).collect();
    let namespace = rendered.all("Namespace").map(name).next().unwrap();
    let exported = listed();
    for (metric, metadata) in ["webhook_queue_size", "webhook_oldest_event_age_seconds"].iter().zip(&queries) {
        let query = string(&metadata["query"]);
        assert_eq!(query, format!("max({metric}{{namespace=\"{namespace}\"}})"));
        let gauges: Vec<_> =
            metrics_in(&query).into_iter().filter(|name| exported.get(name).is_some_and(|(kind, _)| kind == "gauge")).collect();
        assert_eq!(gauges, [*metric], "the program has no such gauge");
        // Prometheus having lost its targets must not look like an empty queue.
        assert_eq!(metadata["ignoreNullValues"], "false", "{metric}");
    }
    assert_eq!((triggers.len(), queries.len()), (3, 2));
    // Age says how late, not how much: it multiplies the workers there are.
    assert_eq!(triggers[2]["metricType"], "Value");
    assert_eq!(scaled["spec"]["fallback"]["behavior"], "currentReplicasIfHigher");
}

#[tokio::test]
async fn what_keda_reads_of_the_secret_is_in_the_example_of_one() {
    let rendered = render("k8s/overlays/large").await;
    let example = &documents(&read("k8s/secret.example.yaml"))[0];
    let read = rendered.one("TriggerAuthentication", "posthaste-redis");
    for target in list(&read["spec"]["secretTargetRef"]) {
        assert_eq!(target["name"], example["metadata"]["name"]);
        assert!(example["stringData"].get(string(&target["key"])).is_some(), "{target}");
    }
    for trigger in list(&rendered.one("ScaledObject", "posthaste-worker")["spec"]["triggers"]) {
        let authentication = &trigger["authenticationRef"]["name"];
        assert!(authentication.is_null() || *authentication == name(read), "{trigger}");
    }
}
