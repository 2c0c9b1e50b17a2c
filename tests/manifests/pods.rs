//! What the pods are, and whether the program in them finds what it needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{AFTER_GRACE, Pod, Rendered, SECRETS, assert_settings, config, list, number, overlays, setting, string};

/// The environment of a pod, with something readable where a Secret would be asked.
fn environment(rendered: &Rendered, pod: &Pod<'_>) -> Vec<(String, String)> {
    let secrets = pod.secrets().into_iter().map(|(name, _, _)| {
        let value = match setting(&name).as_deref() {
            Some("postgres.url") => "postgres://a:b@c:5432/d?sslmode=require".to_owned(),
            Some("redis.url") => "rediss://:a@b:6379/0".to_owned(),
            Some("http.tokens") => "0123456789abcdef,fedcba9876543210".to_owned(),
            Some("security.master_key") => STANDARD.encode([7; 32]),
            other => panic!("{}: {name} ({other:?}) need not be secret", pod.name),
        };
        (name, value)
    });
    rendered.settings().into_iter().chain(secrets).collect()
}

#[tokio::test]
async fn pods_are_not_root_and_have_no_rights_in_the_cluster_or_on_the_node() {
    for rendered in overlays().await {
        assert_eq!(rendered.pods().len(), 3, "{}", rendered.overlay);
        for Pod { name, spec, .. } in rendered.pods() {
            let context = &spec["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{name}");
            assert!(context["runAsUser"].as_u64() > Some(0) && context["runAsGroup"].as_u64() > Some(0), "{name}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
            assert_eq!(spec["enableServiceLinks"], false, "{name}");
            for field in ["hostNetwork", "hostPID", "hostIPC", "volumes", "serviceAccountName"] {
                assert_eq!(spec[field], Value::Null, "{name}: {field}");
            }
        }
    }
}

#[tokio::test]
async fn containers_can_change_nothing_and_say_what_they_need() {
    for rendered in overlays().await {
        for pod in rendered.pods() {
            for container in pod.containers() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{}", pod.name);
                assert_eq!(context["readOnlyRootFilesystem"], true, "{}", pod.name);
                assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{}", pod.name);
                for field in ["privileged", "runAsUser", "runAsNonRoot", "seccompProfile"] {
                    assert_eq!(context[field], Value::Null, "{}: the pod says so for all", pod.name);
                }
                for wanted in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                    assert!(container["resources"].pointer(wanted).is_some(), "{}: resources{wanted}", pod.name);
                }
                // Being throttled shows as receivers that are slow.
                assert_eq!(container["resources"]["limits"]["cpu"], Value::Null, "{}", pod.name);
            }
        }
    }
}

#[tokio::test]
async fn probes_ask_the_process_whether_it_lives_and_its_stores_whether_it_can_work() {
    for rendered in overlays().await {
        for component in ["api", "worker"] {
            let pod = rendered.pod(component);
            let listen = config(&environment(&rendered, &pod)).await.into_iter().find(|(key, _)| key == "http.listen").unwrap().1;
            for container in pod.containers() {
                let ports = list(&container["ports"]);
                assert_eq!(ports.len(), 1, "{}", pod.name);
                assert_eq!(listen, format!("0.0.0.0:{}", ports[0]["containerPort"]), "{}", pod.name);
                for (probe, path) in [("livenessProbe", "/health"), ("readinessProbe", "/ready")] {
                    assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": ports[0]["name"]}), "{}", pod.name);
                }
                // Of /ready, which gives each of two stores two seconds.
                assert!(container["readinessProbe"]["timeoutSeconds"].as_u64() > Some(2), "{}", pod.name);
            }
        }
    }
}

#[tokio::test]
async fn what_a_pod_has_begun_has_time_to_end() {
    for rendered in overlays().await {
        for (component, drains) in [("api", false), ("worker", true)] {
            let pod = rendered.pod(component);
            let grace = if drains { number(&config(&environment(&rendered, &pod)).await, "shutdown.grace") } else { 0.0 };
            for container in pod.containers() {
                let pre_stop = container.pointer("/lifecycle/preStop/sleep/seconds").map_or(0.0, |seconds| seconds.as_f64().unwrap());
                // Requests that come by the Service need a moment; nobody sends any to workers.
                assert_eq!(pre_stop > 0.0, component == "api", "{}", pod.name);
                let given = pod.spec["terminationGracePeriodSeconds"].as_f64().expect("said, not left to the default");
                assert!(given > pre_stop + grace + AFTER_GRACE, "{}: {given} s", pod.name);
            }
        }
    }
}

#[tokio::test]
async fn the_program_takes_the_environment_that_it_is_given() {
    for rendered in overlays().await {
        for pod in rendered.pods() {
            let environment = environment(&rendered, &pod);
            assert_settings(&pod.name, environment.iter().map(|(name, _)| name.clone())).await;
            config(&environment).await;
            for container in pod.containers() {
                let names: Vec<_> = list(&container["envFrom"]).iter().map(|from| string(&from["configMapRef"]["name"])).collect();
                assert_eq!(names, [super::name(rendered.all("ConfigMap").next().unwrap())], "{}", pod.name);
            }
        }
    }
}

#[tokio::test]
async fn each_role_gets_the_secrets_that_it_needs_and_no_others() {
    let both = [("POSTGRES_URL", false), ("REDIS_URL", false), ("POSTHASTE__SECURITY__MASTER_KEY", true)];
    let api = [&both[..2], &[("POSTHASTE__HTTP__TOKENS", false)], &both[2..]].concat();
    for rendered in overlays().await {
        for (component, wanted) in [("api", &api[..]), ("worker", &both), ("migrate", &both[..1])] {
            let pod = rendered.pod(component);
            let given = pod.secrets();
            let given: Vec<_> = given.iter().map(|(name, _, optional)| (name.as_str(), *optional)).collect();
            assert_eq!(given, wanted, "{}", pod.name);
        }
    }
}

#[tokio::test]
async fn no_secret_is_written_down() {
    for rendered in overlays().await {
        assert_eq!(rendered.all("Secret").count(), 0, "{}", rendered.overlay);
        for (name, _) in rendered.settings() {
            let key = setting(&name).expect("a setting");
            assert!(!SECRETS.contains(&&*key), "{}: {name}", rendered.overlay);
        }
        for pod in rendered.pods() {
            for variable in pod.containers().flat_map(|container| list(&container["env"])) {
                assert_eq!(variable["value"], Value::Null, "{}: {}: settings are in the ConfigMap", pod.name, variable["name"]);
            }
        }
    }
}

#[tokio::test]
async fn a_worker_may_open_the_files_that_it_needs_where_a_process_has_1024() {
    for rendered in overlays().await {
        let settings = config(&environment(&rendered, &rendered.pod("worker"))).await;
        let receivers = number(&settings, "worker.in_flight") + number(&settings, "connections.kept");
        assert!(receivers + number(&settings, "postgres.connections") + 50.0 < 1024.0, "{}", rendered.overlay);
    }
}

#[tokio::test]
async fn a_worker_may_hold_as_much_memory_as_it_can_need() {
    for rendered in overlays().await {
        let pod = rendered.pod("worker");
        let settings = config(&environment(&rendered, &pod)).await;
        let bodies = 4.0 * number(&settings, "worker.in_flight") * number(&settings, "limits.max_event_bytes");
        for container in pod.containers() {
            let limit = string(&container["resources"]["limits"]["memory"]);
            let limit: f64 = limit.strip_suffix("Gi").expect("in Gi").parse().unwrap();
            assert!(limit * f64::from(1 << 30) > 1.5 * bodies, "{}", pod.name);
        }
    }
}
