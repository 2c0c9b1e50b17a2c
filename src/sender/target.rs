//! An endpoint made ready for sending: what is the same in each of its requests is made once.

use http::Uri;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use url::Url;

use super::client::Made;
use super::signature::SigningKeys;
use crate::model::clock::Timestamp;
use crate::model::endpoint::Endpoint;

const PLAIN_SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");
const EVENT: HeaderName = HeaderName::from_static("x-webhook-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-webhook-delivery");
const ATTEMPT: HeaderName = HeaderName::from_static("x-webhook-attempt");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-webhook-timestamp");
const TEST: HeaderName = HeaderName::from_static("x-webhook-test");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

pub(super) const USER_AGENT_VALUE: &str = concat!("Posthaste/", env!("CARGO_PKG_VERSION"));

/// Where and how requests to one endpoint go.
pub struct Target {
    pub(super) url: Url,
    /// The same for the request; `None` where no request can be made of it.
    pub(super) uri: Option<Uri>,
    pub(super) timeout: std::time::Duration,
    keys: SigningKeys,
    locked: bool,
    /// Those that all requests have. A list, for thousands of targets are kept, and a map has room for more than it holds.
    headers: Box<[(HeaderName, HeaderValue)]>,
}

/// Headers of one attempt beside those that all requests have; two more are the connection's.
const OWN_HEADERS: usize = 11;

impl Target {
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &endpoint.spec.headers {
            // Registration refused what does not parse.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        let url = endpoint.spec.url.clone();
        let uri = url.as_str().parse().ok();
        Self {
            url,
            uri,
            timeout: endpoint.spec.timeout,
            keys: SigningKeys::new(&endpoint.secret, &endpoint.earlier),
            locked: endpoint.locked.is_some(),
            // A name that comes several times is in the list as often.
            headers: headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// Whether nothing can be signed for it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Marks all of its requests as tests.
    #[must_use]
    pub(super) fn for_tests(self) -> Self {
        let rest = self.headers.into_iter().filter(|(name, _)| name != TEST);
        let headers = rest.chain([(TEST, HeaderValue::from_static("true"))]).collect();
        Self { headers, ..self }
    }

    /// All headers of one attempt, made at `at`.
    pub(super) fn headers(&self, made: Made<'_>, at: Timestamp) -> HeaderMap {
        let Made { delivery, event, attempt, trace } = made;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + OWN_HEADERS);
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        let seconds = at.timestamp().to_string();
        let id = value(&event.key.id);
        headers.insert(PLAIN_SIGNATURE, value(&self.keys.plain(&event.body)));
        headers.insert(STANDARD_SIGNATURE, value(&self.keys.standard(&event.key.id, at, &event.body)));
        headers.insert(STANDARD_ID, id);
        let seconds = value(&seconds);
        headers.insert(STANDARD_TIMESTAMP, seconds.clone());
        headers.insert(TIMESTAMP, seconds);
        headers.insert(EVENT, value(&event.event_type));
        headers.insert(DELIVERY, value(delivery.0.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer())));
        headers.insert(ATTEMPT, HeaderValue::from(attempt));
        if let Some(trace) = trace {
            headers.insert(TRACEPARENT, value(&trace.to_string()));
        }
        headers
    }
}

/// Ids, types and signatures are visible ASCII, so this is never empty in effect.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
