//! Who may make which call, for whose things: every call of the API, with every role, for the own tenant and for another one.

mod cursors;
mod ids;
mod settings;

use std::collections::BTreeSet;

use posthaste::api::{CALLS, Needs};
use posthaste::model::token::Role;
use serde_json::{Value, json};

use crate::harness::{Api, Process, Receiver, Reply, Stores, watchdog, world};

/// The settings of all tokens: one of each role for everything, and one of each for `acme` alone.
const TOKENS: &str = r#"
[http]
tokens = [
    "admin-token-0123456789",
    { token = "enqueue-token-0123456789", role = "enqueue" },
    { token = "read-token-0123456789", role = "read" },
    { sha256 = "SHA256", tenant = "acme" },
    { token = "acme-enqueue-0123456789", role = "enqueue", tenant = "acme" },
    { token = "acme-read-0123456789", role = "read", tenant = "acme" },
]
"#;

/// Each token with what it is.
const HOLDERS: [(&str, Role, Option<&str>); 6] = [
    ("admin-token-0123456789", Role::Admin, None),
    ("enqueue-token-0123456789", Role::Enqueue, None),
    ("read-token-0123456789", Role::Read, None),
    ("acme-admin-0123456789", Role::Admin, Some("acme")),
    ("acme-enqueue-0123456789", Role::Enqueue, Some("acme")),
    ("acme-read-0123456789", Role::Read, Some("acme")),
];

/// How a call answers a token that is held to another tenant than its things.
#[derive(Clone, Copy, PartialEq)]
enum Foreign {
    /// As if they did not exist.
    NotThere,
    /// It names a tenant, and may not: whether there is such a one or not.
    Refused,
    /// It has no things.
    Nothing,
    /// Its things are no tenant's: to a token that is held to one, there is no such call.
    Nobodys,
}

/// One call: how it is made, and what it answers to those who may.
struct Row {
    method: &'static str,
    path: &'static str,
    query: bool,
    body: fn(&Things) -> Value,
    done: u16,
    foreign: Foreign,
}

const fn row(method: &'static str, path: &'static str, done: u16, foreign: Foreign, body: fn(&Things) -> Value) -> Row {
    Row { method, path, query: false, body, done, foreign }
}

/// One of a tenant's things, whose names may be another tenant's too.
const fn named(path: &'static str) -> Row {
    Row { method: "GET", path, query: true, body: no_body, done: 200, foreign: Foreign::NotThere }
}

const fn list(path: &'static str) -> Row {
    Row { method: "GET", path, query: true, body: no_body, done: 200, foreign: Foreign::Refused }
}

fn no_body(_: &Things) -> Value {
    Value::Null
}

fn empty(_: &Things) -> Value {
    json!({})
}

fn an_event(things: &Things) -> Value {
    json!({"event_type": "nobody.wants", "data": 1, "tenant": things.tenant})
}

fn an_endpoint(things: &Things) -> Value {
    json!({"name": "n", "url": "http://127.0.0.1:9/", "event_types": ["nothing"], "tenant": things.tenant})
}

fn a_change(_: &Things) -> Value {
    json!({"name": "changed"})
}

const ROWS: &[Row] = &[
    row("GET", "/health", 200, Foreign::Nothing, no_body),
    row("GET", "/ready", 200, Foreign::Nothing, no_body),
    row("GET", "/metrics", 200, Foreign::Nothing, no_body),
    row("GET", "/openapi.json", 200, Foreign::Nothing, no_body),
    row("GET", "/docs", 200, Foreign::Nothing, no_body),
    list("/api/webhooks/events"),
    row("POST", "/api/webhooks/events", 202, Foreign::Refused, an_event),
    named("/api/webhooks/events/{id}"),
    list("/api/webhooks/endpoints"),
    row("POST", "/api/webhooks/endpoints", 201, Foreign::Refused, an_endpoint),
    row("GET", "/api/webhooks/endpoints/{id}", 200, Foreign::NotThere, no_body),
    row("PATCH", "/api/webhooks/endpoints/{id}", 200, Foreign::NotThere, a_change),
    row("DELETE", "/api/webhooks/endpoints/{id}", 204, Foreign::NotThere, no_body),
    row("POST", "/api/webhooks/endpoints/{id}/retry-failed", 200, Foreign::NotThere, empty),
    row("POST", "/api/webhooks/endpoints/{id}/rotate-secret", 200, Foreign::NotThere, empty),
    list("/api/webhooks/deliveries"),
    row("GET", "/api/webhooks/deliveries/{id}", 200, Foreign::NotThere, no_body),
    row("POST", "/api/webhooks/deliveries/{id}/retry", 202, Foreign::NotThere, no_body),
    row("GET", "/api/webhooks/dead-letters", 200, Foreign::Nobodys, no_body),
    row("DELETE", "/api/webhooks/dead-letters", 200, Foreign::Nobodys, no_body),
    row("POST", "/api/webhooks/dead-letters/requeue", 200, Foreign::Nobodys, no_body),
    list("/api/webhooks/runs"),
    row("GET", "/api/webhooks/runs/{id}", 200, Foreign::NotThere, no_body),
    row("POST", "/api/webhooks/runs/{id}/cancel", 200, Foreign::NotThere, no_body),
    list("/api/webhooks/stats"),
    row("POST", "/api/webhooks/{endpoint_id}/test", 200, Foreign::NotThere, no_body),
    row("GET", "/api/webhooks/{endpoint_id}/diagnose", 200, Foreign::NotThere, no_body),
];

/// What a tenant has: an event, an endpoint, the delivery to it that failed, and a run that will not go on in this century.
struct Things {
    tenant: &'static str,
    event: String,
    endpoint: String,
    delivery: String,
    run: String,
}

/// A running program with these tokens.
struct Guarded<'a> {
    stores: &'a Stores,
    process: Process,
    receiver: Receiver,
}

/// An answer as its receiver sees it, but for what is new in every answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
}

impl<'a> Guarded<'a> {
    async fn start(stores: &'a Stores) -> Self {
        use sha2::Digest as _;
        let file = watchdog::directory("settings").join("posthaste.toml");
        let hash = hex::encode(sha2::Sha256::digest(b"acme-admin-0123456789"));
        std::fs::write(&file, TOKENS.replace("SHA256", &hash)).unwrap();
        let process = world::launch(stores, "all", &[]).arg("--config").arg(file.to_str().unwrap()).start().await;
        let receiver = Receiver::start().await;
        receiver.rule("/fails", |_| Reply::status(500));
        Self { stores, process, receiver }
    }

    fn admin(&self) -> Api {
        self.process.api().with_token(HOLDERS[0].0)
    }

    async fn things_of(&self, tenant: &'static str) -> Things {
        let admin = self.admin();
        let more = json!({"tenant": tenant, "max_retries": 1, "event_types": ["own"]});
        let endpoint = admin.register(&self.receiver.url("/fails"), &more).await.id;
        let id = admin.send(&json!({"event_type": "own", "data": 1, "tenant": tenant})).await["id"].as_str().unwrap().to_owned();
        let delivery = admin.delivery_of(&id, |delivery| delivery["endpoint_id"] == endpoint && delivery["status"] == "failed").await;
        // Others of the tenant's endpoints get no part of it.
        admin.patch(&format!("/api/webhooks/endpoints/{endpoint}"), &json!({"event_types": ["other"]})).await.expect(200);
        let run = self.run_of(tenant, endpoint).await;
        Things { tenant, event: id, endpoint: endpoint.to_string(), delivery: delivery["id"].as_str().unwrap().to_owned(), run }
    }

    async fn run_of(&self, tenant: &str, endpoint: i64) -> String {
        let id = format!("01a2004f-916f-7000-8000-{endpoint:012}");
        let (bytes, far) = (id.replace('-', ""), 4_102_444_800_000_000_i64);
        let run = match self.stores {
            Stores::Production { .. } => {
                format!("(id, kind, tenant, endpoint_id, next_at) VALUES ('{id}', 'retry_failed', '{tenant}', {endpoint}, '2100-01-01')")
            }
            Stores::Embedded { .. } => format!(
                "(id, kind, tenant, endpoint_id, created_at, updated_at, next_at) \
                 VALUES (x'{bytes}', 'retry_failed', '{tenant}', {endpoint}, 0, 0, {far})"
            ),
        };
        self.stores.execute(&format!("INSERT INTO webhook_runs {run}")).await;
        id
    }

    async fn make(&self, row: &Row, things: &Things, token: Option<&str>) -> Seen {
        let id = match row.path {
            path if path.contains("/events/") => &things.event,
            path if path.contains("/deliveries/") => &things.delivery,
            path if path.contains("/runs/") => &things.run,
            _ => &things.endpoint,
        };
        let mut url = format!("{}{}", self.process.url(), row.path.replace("{id}", id).replace("{endpoint_id}", id));
        if row.query {
            url = format!("{url}?tenant={}", things.tenant);
        }
        let mut request = self.receiver_client().request(row.method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let body = (row.body)(things);
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(answer.headers().contains_key("x-request-id"), "{} {}", row.method, row.path);
        let kept = answer.headers().iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
        let mut headers: Vec<_> = kept.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        headers.sort();
        Seen { status, headers, text: answer.text().await.unwrap() }
    }

    fn receiver_client(&self) -> reqwest::Client {
        self.process.api().client
    }

    /// What an administrator sees of these things.
    async fn state(&self, things: &Things) -> [Value; 3] {
        let endpoint = self.admin().get(&format!("/api/webhooks/endpoints/{}", things.endpoint)).await.expect(200);
        let run = self.admin().get(&format!("/api/webhooks/runs/{}", things.run)).await.expect(200);
        [endpoint, self.admin().delivery(&things.delivery).await, run]
    }
}

fn needs(row: &Row) -> Needs {
    CALLS.iter().find(|call| (call.method, call.path) == (row.method, row.path)).expect("it is in the table of all calls").needs
}

/// Those who may not are told so, whosever the things are; and nothing happens.
async fn those_who_may_not(guarded: &Guarded<'_>, row: &Row, own: &Things, other: &Things) {
    let before = [guarded.state(own).await, guarded.state(other).await];
    let nobodys = "01a2004f-916f-8882-96dd-4c29f0000001";
    let nowhere =
        Things { tenant: "nobody", event: nobodys.into(), endpoint: "987654321".into(), delivery: nobodys.into(), run: nobodys.into() };
    for token in [None, Some("wrong-token-0123456789"), Some("admin-token-012345678"), Some("acme-admin-0123456789x")] {
        let answers =
            [guarded.make(row, own, token).await, guarded.make(row, other, token).await, guarded.make(row, &nowhere, token).await];
        let wanted = if needs(row) == Needs::Nothing { row.done } else { 401 };
        assert_eq!(answers[0].status, wanted, "{} {} {token:?}: {}", row.method, row.path, answers[0].text);
        assert!(row.path == "/metrics" || (answers[0] == answers[1] && answers[1] == answers[2]), "{answers:?}");
    }
    for (token, role, tenant) in HOLDERS {
        let place = format!("{} {} as {} of {tenant:?}", row.method, row.path, role.name());
        if !needs(row).roles().contains(&role) {
            for things in [own, other, &nowhere] {
                let answer = guarded.make(row, things, Some(token)).await;
                let problem: Value = serde_json::from_str(&answer.text).unwrap();
                let detail = problem["detail"].as_str().unwrap();
                assert_eq!((answer.status, &problem["status"]), (403, &json!(403)), "{place}: {}", answer.text);
                assert!(detail.contains(&format!("`{}`", role.name())) && detail.contains("`admin`"), "{place}: {detail}");
            }
        } else if tenant.is_some() && row.foreign != Foreign::Nothing {
            let (theirs, nobodys) = (guarded.make(row, other, Some(token)).await, guarded.make(row, &nowhere, Some(token)).await);
            assert_eq!(theirs, nobodys, "{place}: what exists elsewhere must look like what does not exist");
            assert_eq!(theirs.status, if row.foreign == Foreign::Refused { 400 } else { 404 }, "{place}: {}", theirs.text);
            assert!(!theirs.text.contains("other"), "{place}: {}", theirs.text);
        }
    }
    assert_eq!(before, [guarded.state(own).await, guarded.state(other).await], "{} {}", row.method, row.path);
}

/// Those who may get what they ask for, each of fresh things.
async fn those_who_may(guarded: &Guarded<'_>, row: &Row) {
    for (token, role, tenant) in HOLDERS {
        if needs(row).roles().contains(&role) {
            for things in ["acme", "other"].iter().filter(|things| tenant.is_none_or(|tenant| tenant == **things)) {
                let things = guarded.things_of(things).await;
                let answer = guarded.make(row, &things, Some(token)).await;
                let wanted = if tenant.is_some() && row.foreign == Foreign::Nobodys { 404 } else { row.done };
                assert_eq!(answer.status, wanted, "{} {} as {} of {tenant:?}: {}", row.method, row.path, role.name(), answer.text);
            }
        }
    }
}

async fn every_call(stores: &Stores) {
    let guarded = Guarded::start(stores).await;
    let (own, other) = (guarded.things_of("acme").await, guarded.things_of("other").await);
    for row in ROWS {
        those_who_may_not(&guarded, row, &own, &other).await;
        those_who_may(&guarded, row).await;
    }
    let said = guarded.process.stderr();
    assert!(!HOLDERS.iter().any(|(token, ..)| said.contains(token)), "{said}");
}

#[test]
fn every_call_that_there_is_stands_in_the_table() {
    let all: BTreeSet<_> = CALLS.iter().map(|call| (call.path, call.method)).collect();
    let tried: BTreeSet<_> = ROWS.iter().map(|row| (row.path, row.method)).collect();
    assert_eq!(all, tried, "say in tests/access.rs what a new call answers to whom");
}

mod every_call_answers_each_role_and_tenant_as_it_should {
    #[tokio::test(flavor = "multi_thread")]
    async fn in_production() {
        super::every_call(&super::Stores::production().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn embedded() {
        let file = super::watchdog::directory("sqlite").join("posthaste.sqlite");
        super::every_call(&super::Stores::Embedded { file }).await;
    }
}
