//! Talks to the API.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::Deserialize;
use url::Url;

use super::{CliError, Connection};
use crate::model::clock::{self, Timestamp};
use crate::model::problem::Problem;

/// Longer than the API itself takes for any call.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Client {
    http: reqwest::Client,
    /// Without a path.
    server: Url,
    token: Option<String>,
}

/// One call: the path below `/api/webhooks/`, its query and its body, which is JSON.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None, idempotency_key: None }
    }

    pub(super) fn with_body(method: Method, path: &'a [&'a str], body: String) -> Self {
        Self { method, path, query: Vec::new(), body: Some(body), idempotency_key: None }
    }

    /// Made again with the same key, it does nothing again.
    pub(super) fn once(mut self, key: Option<String>) -> Self {
        self.idempotency_key = key;
        self
    }

    /// Adds a parameter that was given.
    pub(super) fn and(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

impl Client {
    pub(super) fn new(connection: &Connection) -> Result<Self, CliError> {
        let given = &connection.server;
        let server = Url::parse(given)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| CliError::Usage(format!("--server is `{given}`, and must be a URL such as http://127.0.0.1:8000")))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(server.scheme() == "https")?)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Posthaste-CLI/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| CliError::Failed(format!("cannot set up the connection: {error}")))?;
        Ok(Self { http, server, token: connection.token.clone() })
    }

    /// Makes the call, and gives the body of its answer.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<String, CliError> {
        Ok(self.call_at(call).await?.0)
    }

    /// The same, and when the server answered: by its own clock, to the second.
    pub(super) async fn call_at(&self, call: Call<'_>) -> Result<(String, Timestamp), CliError> {
        let mut request = self.http.request(call.method, self.url(call.path, &call.query)?);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(key) = call.idempotency_key {
            let key = header::HeaderValue::from_str(&key);
            let wrong = |_invalid| CliError::Usage("--idempotency-key must be 1 to 255 visible ASCII characters, such as a UUID".into());
            request = request.header("idempotency-key", key.map_err(wrong)?);
        }
        self.answer(request).await
    }

    /// Makes one of the calls beside `/api/webhooks/` that every process answers without a token.
    pub(super) async fn probe(&self, path: &str, patience: Duration) -> Result<String, CliError> {
        Ok(self.answer(self.http.get(self.below(&[path])?).timeout(patience)).await?.0)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(String, Timestamp), CliError> {
        let answer = request.send().await.map_err(|error| self.unanswered(&error))?;
        let (status, at) = (answer.status(), date_of(answer.headers()));
        let body = answer.text().await.map_err(|error| self.unanswered(&error))?;
        if status.is_success() { Ok((body, at)) } else { Err(refusal(status, &body)) }
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, CliError> {
        // They would make another path of it, however they are encoded.
        if let Some(segment) = path.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(CliError::Usage(format!("`{segment}` cannot stand in the path of a URL, so it cannot be asked for by itself")));
        }
        let mut url = self.below(&[&["api", "webhooks"][..], path].concat())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn below(&self, path: &[&str]) -> Result<Url, CliError> {
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| CliError::Usage("--server must be a URL such as http://127.0.0.1:8000".into()))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    fn unanswered(&self, error: &reqwest::Error) -> CliError {
        if error.is_connect() {
            return CliError::Unreachable { server: self.server.to_string(), reason: root_cause(error) };
        }
        let what = if error.is_timeout() { "did not answer in time" } else { "broke off" };
        CliError::Away(format!("{} {what}: {}", self.server, root_cause(error)))
    }
}

/// Roots are loaded where they are needed: a container without any can still talk to its own machine.
fn tls(needed: bool) -> Result<rustls::ClientConfig, CliError> {
    let mut roots = rustls::RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CliError::Failed(format!("cannot set up TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[derive(Deserialize)]
struct ProblemBody {
    detail: String,
    #[serde(default)]
    errors: Vec<ProblemField>,
}

#[derive(Deserialize)]
struct ProblemField {
    field: String,
    message: String,
}

fn refusal(status: StatusCode, body: &str) -> CliError {
    match serde_json::from_str::<ProblemBody>(body) {
        Ok(problem) => CliError::Refused {
            status,
            detail: format!("{} ({}){}", problem.detail, status.as_u16(), advice(status)),
            errors: problem.errors.into_iter().map(|error| Problem::new(error.field, error.message)).collect(),
        },
        // Something else than Posthaste may listen there, or stand in front of it.
        Err(_) => {
            let said = format!("the server answered {status}: {}", body.chars().take(200).collect::<String>());
            if status.is_server_error() { CliError::Away(said) } else { CliError::Failed(said) }
        }
    }
}

/// What to do on the command line, where the API cannot know that.
fn advice(status: StatusCode) -> &'static str {
    if status == StatusCode::UNAUTHORIZED { "\ngive one of the server's tokens with --token, or in POSTHASTE_TOKEN" } else { "" }
}

/// The server's clock; ours, where something on the way took that out.
fn date_of(headers: &header::HeaderMap) -> Timestamp {
    let date = headers.get(header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    date.map_or_else(clock::now, DateTime::<Utc>::from)
}
