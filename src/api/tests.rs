//! Every call with right and with wrong input, against ports in memory.

mod breakers;
mod bulk;
mod checks;
mod deliveries;
mod endpoints;
mod events;
mod fakes;
mod keyed;
mod manners;
mod openapi;
mod retries;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::{Api, Calls, router};
use crate::model::endpoint::EndpointDefaults;
use crate::model::token::{Role, Token};
use fakes::{FakeCatalog, FakeChecks, FakeDoor, FakeLetters, FakeObserve, FakePacing, FakeReadiness, FakeRecords, FakeRetries};

const ADMIN: &str = "admin-token-0123456789";
const ACME: &str = "acme-token-0123456789";

/// An API with everything behind it in memory.
#[derive(Default)]
struct World {
    door: Arc<FakeDoor>,
    catalog: Arc<FakeCatalog>,
    records: Arc<FakeRecords>,
    retries: Arc<FakeRetries>,
    pacing: Arc<FakePacing>,
    checks: Arc<FakeChecks>,
    letters: Arc<FakeLetters>,
    readiness: Arc<FakeReadiness>,
    tokens: Vec<Token>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl World {
    fn with_tokens() -> Self {
        let token = |token: &str, tenant: Option<&str>| Token {
            sha256: Sha256::digest(token).into(),
            role: Role::Admin,
            tenant: tenant.map(Arc::from),
        };
        Self { tokens: vec![token(ADMIN, None), token(ACME, Some("acme"))], ..Self::default() }
    }

    fn api(&self) -> Api {
        Api {
            readiness: self.readiness.clone(),
            observe: Arc::new(FakeObserve),
            calls: Some(Calls {
                door: self.door.clone(),
                catalog: self.catalog.clone(),
                records: self.records.clone(),
                retries: self.retries.clone(),
                pacing: self.pacing.clone(),
                checks: self.checks.clone(),
                letters: self.letters.clone(),
                requeue: self.letters.clone(),
                tokens: self.tokens.clone(),
                max_event_bytes: 1000,
                max_body_bytes: 100_000,
                defaults: EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) },
                keep_keyed: Duration::from_secs(3600),
                new_event_id: || "made".into(),
            }),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        self.send_to(router(self.api()), request).await
    }

    async fn send_to(&self, router: Router, request: Request<Body>) -> Answer {
        let response = router.oneshot(request).await.expect("a router never fails");
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).expect("UTF-8") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, None, "")).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(request("POST", path, None, body)).await
    }

    /// A request with a token.
    async fn with(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        self.send(request(method, path, Some(token), body)).await
    }
}

fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Asserts that this is a problem, and gives the fields that it names.
    fn problem(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {body}");
        }
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    }
}
