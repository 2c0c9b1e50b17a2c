//! Tokens, and what they give access to.

use serde_json::{Value, json};

use super::problem;
use crate::harness::{Api, Process, Receiver, Stores, watchdog, world};

const ADMIN: &str = "admin-token-0123456789";
const ACME: &str = "acme-token-0123456789";
const TOKENS: &str = r#"
[http]
tokens = ["admin-token-0123456789", { token = "acme-token-0123456789", tenant = "acme" }]
"#;

struct Guarded {
    process: Process,
    receiver: Receiver,
}

impl Guarded {
    async fn start(stores: &Stores) -> Self {
        let file = watchdog::directory("settings").join("posthaste.toml");
        std::fs::write(&file, TOKENS).unwrap();
        let process = world::launch(stores, "all", &[]).arg("--config").arg(file.to_str().unwrap()).start().await;
        Self { process, receiver: Receiver::start().await }
    }

    fn stranger(&self) -> Api {
        self.process.api()
    }

    fn admin(&self) -> Api {
        self.stranger().with_token(ADMIN)
    }

    fn acme(&self) -> Api {
        self.stranger().with_token(ACME)
    }

    /// An endpoint of each tenant, with one delivery: the endpoints' ids and the deliveries'.
    async fn fill(&self) -> [(String, String); 2] {
        let mut made = Vec::new();
        for tenant in ["acme", "other"] {
            let endpoint = self.admin().register(&self.receiver.url("/"), &json!({"tenant": tenant, "name": tenant})).await;
            self.admin().send(&json!({"id": tenant, "event_type": "a", "data": 1, "tenant": tenant})).await;
            let delivery = self.admin().ended(tenant).await;
            made.push((endpoint.id.to_string(), delivery["id"].as_str().unwrap().to_owned()));
        }
        made.try_into().unwrap()
    }
}

async fn embedded() -> Guarded {
    Guarded::start(&Stores::Embedded { file: watchdog::directory("sqlite").join("posthaste.sqlite") }).await
}

async fn production() -> Guarded {
    Guarded::start(&Stores::production().await).await
}

async fn without_a_token_there_is_no_access(guarded: Guarded) {
    for token in ["", "wrong-token-0123456789", "admin-token-012345678", "admin-token-0123456789x"] {
        let api = if token.is_empty() { guarded.stranger() } else { guarded.stranger().with_token(token) };
        for path in ["/api/webhooks/endpoints", "/api/webhooks/deliveries", "/api/webhooks/stats", "/api/webhooks/nowhere"] {
            problem(&api.get(path).await, 401);
        }
        problem(&api.post("/api/webhooks/events", &json!({"event_type": "a", "data": 1})).await, 401);
        for path in ["/health", "/ready", "/metrics"] {
            assert_eq!(api.get(path).await.status, 200, "{path} needs no token");
        }
    }
    let answer = guarded.stranger().client.get(format!("{}/api/webhooks/stats", guarded.process.url())).send().await.unwrap();
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let said = guarded.process.stderr();
    assert!(!said.contains("wrong-token") && !said.contains(ADMIN), "{said}");
}

async fn a_bound_token_sees_its_tenant_alone(guarded: Guarded) {
    let [own, other] = guarded.fill().await;
    let acme = guarded.acme();
    let items = async |api: &Api, path: &str| api.get(path).await.expect(200)["items"].as_array().unwrap().clone();
    for path in ["/api/webhooks/endpoints", "/api/webhooks/deliveries", "/api/webhooks/events"] {
        assert_eq!(items(&guarded.admin(), path).await.len(), 2, "{path}");
        let seen = items(&acme, path).await;
        assert_eq!((seen.len(), &seen[0]["tenant"]), (1, &json!("acme")), "{path}");
        assert_eq!(items(&acme, &format!("{path}?tenant=acme")).await.len(), 1);
        assert_eq!(problem(&acme.get(&format!("{path}?tenant=other")).await, 400), ["tenant"]);
        assert_eq!(items(&guarded.admin(), &format!("{path}?tenant=other")).await.len(), 1);
    }
    assert_eq!(acme.get("/api/webhooks/stats").await.expect(200)["total_deliveries"], 1);
    assert_eq!(guarded.admin().get("/api/webhooks/stats").await.expect(200)["total_deliveries"], 2);
    acme.get(&format!("/api/webhooks/endpoints/{}", own.0)).await.expect(200);
    acme.get(&format!("/api/webhooks/deliveries/{}", own.1)).await.expect(200);
    // Not 403, which would say that they exist.
    for path in [format!("endpoints/{}", other.0), format!("deliveries/{}", other.1)] {
        problem(&acme.get(&format!("/api/webhooks/{path}")).await, 404);
    }
    assert!(items(&acme, &format!("/api/webhooks/deliveries?endpoint_id={}", other.0)).await.is_empty());
    assert!(items(&acme, "/api/webhooks/deliveries?event_id=other").await.is_empty());
}

async fn a_bound_token_touches_its_tenant_alone(guarded: Guarded) {
    let [own, other] = guarded.fill().await;
    let acme = guarded.acme();
    let foreign = format!("/api/webhooks/endpoints/{}", other.0);
    problem(&acme.patch(&foreign, &json!({"name": "mine"})).await, 404);
    problem(&acme.delete(&foreign).await, 404);
    assert_eq!(guarded.admin().get(&foreign).await.expect(200)["name"], "other");
    let registration = |tenant: Value| json!({"name": "new", "url": guarded.receiver.url("/new"), "event_types": ["b"], "tenant": tenant});
    assert_eq!(problem(&acme.post("/api/webhooks/endpoints", &registration(json!("other"))).await, 400), ["tenant"]);
    let made = acme.post("/api/webhooks/endpoints", &registration(Value::Null)).await.expect(201);
    assert_eq!(made["tenant"], "acme");
    let event = |tenant: &str| json!({"id": "e", "event_type": "b", "data": 1, "tenant": tenant});
    assert_eq!(problem(&acme.post("/api/webhooks/events", &event("other")).await, 400), ["tenant"]);
    acme.post("/api/webhooks/events", &json!({"id": "e", "event_type": "b", "data": 1})).await.expect(202);
    let delivery = acme.ended("e").await;
    assert_eq!((&delivery["tenant"], &delivery["endpoint_name"]), (&json!("acme"), &json!("new")));
    let changed = acme.patch(&format!("/api/webhooks/endpoints/{}", own.0), &json!({"name": "renamed"})).await.expect(200);
    assert_eq!(changed["name"], "renamed");
    assert_eq!(acme.delete(&format!("/api/webhooks/endpoints/{}", own.0)).await.status, 204);
}

macro_rules! in_both {
    ($($name:ident)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_production() {
                super::$name(super::production().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                super::$name(super::embedded().await).await;
            }
        }
    )+};
}
in_both! { without_a_token_there_is_no_access a_bound_token_sees_its_tenant_alone a_bound_token_touches_its_tenant_alone }
