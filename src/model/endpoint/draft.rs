//! What requests say of an endpoint, and whether that is valid.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{EndpointSpec, RESERVED_HEADERS, RateLimit, STANDARD_SCHEDULE};
use crate::model::event::DEFAULT_TENANT;
use crate::model::pattern::Pattern;
use crate::model::problem::Problem;
use crate::model::secret::{SEALED, Secret};
use crate::model::{object, validate, whole};

/// What requests about endpoints carry: every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointDraft {
    pub tenant: Option<String>,
    pub name: Option<String>,
    pub url: Option<String>,
    pub event_types: Option<Vec<String>>,
    pub secret: Option<String>,
    pub headers: Option<BTreeMap<String, String>>,
    pub timeout: Option<f64>,
    #[serde(default, deserialize_with = "whole::optional")]
    pub max_retries: Option<u32>,
    pub retry_delay: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    pub retry_schedule: Option<Option<ScheduleDraft>>,
    #[serde(default, deserialize_with = "object::given")]
    pub rate_limit: Option<Option<RateLimit>>,
    #[serde(default, deserialize_with = "whole::given")]
    pub in_flight: Option<Option<u32>>,
    pub is_active: Option<bool>,
}

/// A list of seconds, or the word `"standard"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "must be a list of seconds, or the word \"standard\"")]
pub enum ScheduleDraft {
    Named(String),
    Seconds(Vec<f64>),
}

/// Tells `null` (take the setting away) from a missing field (leave it).
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What an endpoint has when its owner does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndpointDefaults {
    pub timeout: Duration,
    pub max_retries: u32,
    pub retry_delay: Duration,
}

/// A valid registration.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEndpoint {
    pub tenant: Arc<str>,
    pub spec: EndpointSpec,
    /// `None`: one is made.
    pub secret: Option<Secret>,
}

impl EndpointDraft {
    /// Checks a registration.
    ///
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn into_new(self, defaults: EndpointDefaults) -> Result<NewEndpoint, Vec<Problem>> {
        let mut problems = Vec::new();
        for (field, missing) in [("name", self.name.is_none()), ("url", self.url.is_none()), ("event_types", self.event_types.is_none())] {
            if missing {
                problems.push(Problem::new(field, "is required"));
            }
        }
        let tenant = self.tenant.clone().map_or_else(|| Arc::clone(&DEFAULT_TENANT), Arc::from);
        if let Err(message) = validate::tenant(&tenant) {
            problems.push(Problem::new("tenant", message));
        }
        let secret = self.secret.clone();
        if let Some(Err(message)) = secret.as_deref().map(check_secret) {
            problems.push(Problem::new("secret", message));
        }
        let empty = EndpointSpec {
            name: String::new(),
            #[expect(clippy::expect_used, reason = "a literal")]
            url: Url::parse("http://localhost/").expect("a URL"),
            event_types: Vec::new(),
            headers: BTreeMap::new(),
            timeout: defaults.timeout,
            max_retries: defaults.max_retries,
            retry_delay: defaults.retry_delay,
            retry_schedule: None,
            rate_limit: None,
            in_flight: None,
            is_active: true,
        };
        let spec = self.apply(empty, &mut problems);
        if problems.is_empty() { Ok(NewEndpoint { tenant, spec, secret: secret.map(Secret::new) }) } else { Err(problems) }
    }

    /// Checks a change of an endpoint that exists, and makes it.
    ///
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn change(self, spec: EndpointSpec) -> Result<EndpointSpec, Vec<Problem>> {
        let mut problems = Vec::new();
        if self.tenant.is_some() {
            problems.push(Problem::new("tenant", "cannot be changed: register the endpoint again"));
        }
        if self.secret.is_some() {
            problems.push(Problem::new("secret", "cannot be changed here: rotate it"));
        }
        let spec = self.apply(spec, &mut problems);
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    fn apply(self, mut spec: EndpointSpec, problems: &mut Vec<Problem>) -> EndpointSpec {
        take(self.name, "name", check_name, &mut spec.name, problems);
        take(self.url, "url", |url| check_url(&url), &mut spec.url, problems);
        take(self.event_types, "event_types", |types| check_event_types(&types), &mut spec.event_types, problems);
        if let Some(headers) = self.headers {
            problems.extend(check_headers(&headers));
            spec.headers = headers;
        }
        take(self.timeout, "timeout", |s| seconds(s, 0.001, 3600.0), &mut spec.timeout, problems);
        take(self.max_retries, "max_retries", |n| between(n, 1, 1000), &mut spec.max_retries, problems);
        take(self.retry_delay, "retry_delay", |s| seconds(s, 0.0, 31_536_000.0), &mut spec.retry_delay, problems);
        take(self.retry_schedule, "retry_schedule", |s| s.map(check_schedule).transpose(), &mut spec.retry_schedule, problems);
        take(self.rate_limit, "rate_limit", |l| l.map(check_rate_limit).transpose(), &mut spec.rate_limit, problems);
        take(self.in_flight, "in_flight", |n| n.map(|n| between(n, 1, 10_000)).transpose(), &mut spec.in_flight, problems);
        spec.is_active = self.is_active.unwrap_or(spec.is_active);
        spec
    }
}

/// Puts a field that was given into its place, or says what is wrong with it.
pub(in crate::model) fn take<T, U>(
    given: Option<T>,
    field: &str,
    check: impl FnOnce(T) -> Result<U, String>,
    place: &mut U,
    problems: &mut Vec<Problem>,
) {
    match given.map(check) {
        None => {}
        Some(Ok(value)) => *place = value,
        Some(Err(message)) => problems.push(Problem::new(field, message)),
    }
}

fn check_name(name: String) -> Result<String, String> {
    validate::storable(&name)?;
    if name.trim().is_empty() || name.chars().count() > 255 { Err("must be 1 to 255 characters".into()) } else { Ok(name) }
}

fn check_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}): give one such as https://example.com/hooks"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must start with https:// or http://, not {}:", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user or password: put credentials into `headers`".into());
    }
    if text.len() > 2048 { Err("must be at most 2,048 characters".into()) } else { Ok(url) }
}

fn check_event_types(types: &[String]) -> Result<Vec<Pattern>, String> {
    if types.is_empty() || types.len() > 1000 {
        return Err("must hold 1 to 1,000 event types; `*` stands for everything".into());
    }
    let patterns = types.iter().map(|text| Pattern::parse(text).map_err(|message| format!("`{text}` {message}")));
    let mut patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    // Most have one, and room for three more would be a quarter of what an endpoint takes.
    patterns.shrink_to_fit();
    Ok(patterns)
}

fn check_headers(headers: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if headers.len() > 50 {
        problems.push(Problem::new("headers", "must be at most 50"));
    }
    for (name, value) in headers {
        let field = format!("headers.{name}");
        if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            problems.push(Problem::new(field, "is set by Posthaste or by the connection, and cannot be replaced"));
        } else if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.push(Problem::new(field, "is not a header name"));
        } else if http::HeaderValue::from_str(value).is_err() {
            problems.push(Problem::new(field, "must be visible ASCII, without CR, LF or other control characters"));
        }
    }
    problems
}

pub(in crate::model) fn check_secret(secret: &str) -> Result<(), String> {
    use base64::Engine as _;
    if !(8..=512).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be 8 to 512 visible ASCII characters".into());
    }
    if secret.starts_with(SEALED) {
        return Err(format!("must not start with {SEALED}"));
    }
    match secret.strip_prefix("whsec_").map(|key| base64::engine::general_purpose::STANDARD.decode(key)) {
        Some(Err(_)) => Err("starts with whsec_, so the rest must be base64".into()),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn check_schedule(draft: ScheduleDraft) -> Result<Vec<f64>, String> {
    let right = "must be 1 to 100 numbers of seconds from 0 to 31,536,000, or the word \"standard\"";
    match draft {
        ScheduleDraft::Named(name) if name == "standard" => Ok(STANDARD_SCHEDULE.to_vec()),
        ScheduleDraft::Seconds(list) if (1..=100).contains(&list.len()) && list.iter().all(|s| (0.0..=31_536_000.0).contains(s)) => {
            Ok(list)
        }
        _ => Err(right.into()),
    }
}

fn check_rate_limit(limit: RateLimit) -> Result<RateLimit, String> {
    if limit.max_requests >= 1 && (0.001..=86400.0).contains(&limit.window) {
        Ok(limit)
    } else {
        Err("must have `max_requests` of at least 1 and a `window` of 0.001 to 86,400 seconds".into())
    }
}

pub(in crate::model) fn seconds(value: f64, min: f64, max: f64) -> Result<Duration, String> {
    if (min..=max).contains(&value) {
        Duration::try_from_secs_f64(value).map_err(|error| error.to_string())
    } else {
        Err(format!("must be {min} to {max} seconds"))
    }
}

fn between(value: u32, min: u32, max: u32) -> Result<u32, String> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(format!("must be {min} to {max}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: EndpointDefaults =
        EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };

    fn register(json: &str) -> Result<NewEndpoint, Vec<Problem>> {
        serde_json::from_str::<EndpointDraft>(json).expect(json).into_new(DEFAULTS)
    }

    fn with(extra: &str) -> String {
        format!(r#"{{"name":"n","url":"https://example.com/","event_types":["*"]{extra}}}"#)
    }

    #[test]
    fn a_registration_has_the_defaults() {
        let new = register(&with("")).expect("valid");
        assert_eq!(&*new.tenant, "default");
        assert_eq!((new.spec.timeout, new.spec.max_retries, new.spec.retry_delay), (DEFAULTS.timeout, 3, DEFAULTS.retry_delay));
        assert!(new.spec.is_active);
        assert_eq!(new.spec.attempts(), 3);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let problems = register(r#"{"url":"ftp://x/","event_types":[],"timeout":0,"headers":{"Host":"x","A":"b\r\nc","b d":"e"}}"#)
            .expect_err("invalid");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["name", "url", "event_types", "headers.A", "headers.Host", "headers.b d", "timeout"]);
    }

    #[test]
    fn headers_that_posthaste_sets_are_refused_whatever_their_case() {
        for name in ["Content-Type", "USER-AGENT", "X-Webhook-Signature", "webhook-id", "Transfer-Encoding", "connection", "Content-Length"]
        {
            assert!(register(&with(&format!(r#","headers":{{"{name}":"x"}}"#))).is_err(), "{name}");
        }
        assert!(register(&with(r#","headers":{"Authorization":"Bearer x","X-Own":"y"}"#)).is_ok());
    }

    #[test]
    fn the_standard_schedule_is_a_word() {
        let new = register(&with(r#","retry_schedule":"standard""#)).expect("valid");
        assert_eq!(new.spec.retry_schedule.as_deref(), Some(&STANDARD_SCHEDULE[..]));
        assert_eq!(new.spec.attempts(), 10);
        assert!(register(&with(r#","retry_schedule":"other""#)).is_err());
        assert!(register(&with(r#","retry_schedule":[1,-1]"#)).is_err());
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_null_takes_away() {
        let spec = register(&with(r#","in_flight":5,"timeout":2.5"#)).expect("valid").spec;
        let draft: EndpointDraft = serde_json::from_str(r#"{"in_flight":null,"name":"new"}"#).expect("JSON");
        let changed = draft.change(spec.clone()).expect("valid");
        assert_eq!(changed, EndpointSpec { name: "new".into(), in_flight: None, ..spec });
    }

    #[test]
    fn credentials_in_a_url_are_refused() {
        assert!(register(r#"{"name":"n","url":"https://a:b@example.com/","event_types":["*"]}"#).is_err());
    }
}
