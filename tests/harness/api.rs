//! A client of the HTTP API, as an application would write it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::eventually::{LONG, eventually};

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: reqwest::Client,
    base: String,
    token: Option<String>,
    key: Option<String>,
}

/// An answer: its status and its body; `Null` when it has none or is not JSON.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// What a registration gives.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) id: i64,
    pub(crate) secret: String,
}

impl Api {
    /// `base`: `http://127.0.0.1:<port>`
    pub(crate) fn new(base: &str) -> Self {
        // Fails when it is installed already, and then all is well.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().expect("a client");
        Self { client, base: base.to_owned(), token: None, key: None }
    }

    /// The same with `Authorization: Bearer <token>`.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same with `Idempotency-Key: <key>`.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The status of `/ready`; `None` when nothing answers.
    pub(crate) async fn ready(&self) -> Option<u16> {
        let request = self.client.get(format!("{}/ready", self.base)).timeout(Duration::from_secs(5));
        Some(request.send().await.ok()?.status().as_u16())
    }

    /// Any call; `body` is left out when it is `Null`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answered {
        self.send_text(method, path, (!body.is_null()).then(|| body.to_string())).await
    }

    /// A call whose body is these bytes, spelled as they are.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Answered {
        self.send_text(Method::POST, path, Some(body.to_owned())).await
    }

    /// The status of an answer to these bytes; `None` when none came within ten seconds.
    pub(crate) async fn try_post(&self, path: &str, body: &str) -> Option<u16> {
        let request = self.client.post(format!("{}{path}", self.base)).timeout(Duration::from_secs(10));
        let answer = self.as_told(request).header("content-type", "application/json").body(body.to_owned()).send().await;
        Some(answer.ok()?.status().as_u16())
    }

    /// With the token and the key.
    fn as_told(&self, mut request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        request
    }

    async fn send_text(&self, method: Method, path: &str, body: Option<String>) -> Answered {
        let mut request = self.as_told(self.client.request(method.clone(), format!("{}{path}", self.base)));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let status = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answered { status, content_type, text, json }
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answered {
        self.call(Method::PATCH, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.call(Method::DELETE, path, &Value::Null).await
    }

    /// Registers an endpoint for everything; `more` adds fields or replaces them.
    pub(crate) async fn register(&self, url: &str, more: &Value) -> Registered {
        let mut body = json!({"name": url, "url": url, "event_types": ["*"]});
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        let answer = self.post("/api/webhooks/endpoints", &body).await.expect(201);
        let id = answer["id"].as_i64().expect("an integer");
        Registered { id, secret: answer["secret"].as_str().expect("shown once").to_owned() }
    }

    /// Enqueues one event or an array through door 2, and returns the answer.
    pub(crate) async fn send(&self, events: &Value) -> Value {
        self.post("/api/webhooks/events", events).await.expect(202)
    }

    /// Enqueues an event of type `test.event` with that id.
    pub(crate) async fn send_id(&self, id: &str) {
        self.send(&json!({"id": id, "event_type": "test.event", "data": {"id": id}})).await;
    }

    /// One page of deliveries: `query` as `status=failed&limit=500`.
    pub(crate) async fn deliveries(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("/api/webhooks/deliveries?{query}")).await.expect(200);
        page["items"].as_array().expect("a list").clone()
    }

    /// One delivery with its attempts.
    pub(crate) async fn delivery(&self, id: &str) -> Value {
        self.get(&format!("/api/webhooks/deliveries/{id}")).await.expect(200)
    }

    /// Waits until `count` deliveries (at most 500) have that status, and returns them.
    pub(crate) async fn wait_for_deliveries(&self, status: &str, count: usize) -> Vec<Value> {
        let query = format!("status={status}&limit=500");
        eventually(LONG, async || {
            let found = self.deliveries(&query).await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// The value of one line of `/metrics`, as `webhook_queue_size` or `name{label="x"}`; `None` when there is no such line.
    pub(crate) async fn metric(&self, line: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text;
        text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

impl Answered {
    /// The body, if the status is that one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }
}
