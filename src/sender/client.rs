//! The one HTTP client of all deliveries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method};

use super::classify;
use super::guard::{Guard, GuardedResolver};
use super::target::Target;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::event::Event;
use crate::model::outcome::{Answer, Attempt, Failure, FailureKind, KEPT_BODY_CHARS, Outcome};

/// How much of an answer is read. Where there is more, the connection is closed instead.
const READ_BYTES: usize = 64 << 10;
/// How long an unused connection is kept open.
const IDLE: Duration = Duration::from_secs(60);

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct SenderError(#[from] reqwest::Error);

/// Sends requests. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Sender {
    client: reqwest::Client,
    guard: Guard,
}

impl Sender {
    /// `idle_per_host`: how many unused connections to one host are kept.
    ///
    /// # Errors
    /// When the system's TLS roots cannot be used.
    pub fn new(guard: Guard, idle_per_host: usize) -> Result<Self, SenderError> {
        // Somebody else may have installed one already, and any is good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(GuardedResolver(guard.clone())))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(idle_per_host)
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self { client, guard })
    }

    /// Makes one attempt. Whatever the receiver does, within the endpoint's timeout this ends in an outcome.
    pub async fn send(&self, target: &Target, delivery: DeliveryId, event: &Event, attempt: u32) -> Attempt {
        let started_at = clock::now();
        let started = Instant::now();
        let outcome = match tokio::time::timeout(target.timeout, self.exchange(target, delivery, event, attempt, started_at)).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(failure)) => Outcome::Failed(failure),
            Err(_) => Outcome::Failed(Failure {
                kind: FailureKind::Timeout,
                detail: format!("no complete answer within {} s", target.timeout.as_secs_f64()),
            }),
        };
        Attempt { started_at, took: started.elapsed(), outcome }
    }

    async fn exchange(&self, target: &Target, delivery: DeliveryId, event: &Event, attempt: u32, at: Timestamp) -> Result<Answer, Failure> {
        self.guard.check_url(&target.url).map_err(|reason| classify::blocked(&reason))?;
        let mut request = reqwest::Request::new(Method::POST, target.url.clone());
        *request.headers_mut() = target.headers(delivery, event, attempt, at.timestamp());
        *request.body_mut() = Some(event.body.clone().into());
        let mut response = self.client.execute(request).await.map_err(classify::failure)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(classify::failure)? {
            let room = READ_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == READ_BYTES {
                break;
            }
        }
        Ok(Answer { status, body: kept(&body), retry_after })
    }
}

/// The first characters, as both databases can keep them.
fn kept(body: &[u8]) -> String {
    // No character has more than four bytes.
    let start = &body[..body.len().min(KEPT_BODY_CHARS * 4)];
    String::from_utf8_lossy(start).chars().filter(|character| *character != '\0').take(KEPT_BODY_CHARS).collect()
}

/// `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3). What cannot be read does not count.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = Timestamp::from(httpdate::parse_http_date(text).ok()?);
    Some((at - clock::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a value"));
            retry_after(&headers)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date((clock::now() + chrono::TimeDelta::seconds(100)).into());
        let seconds = read(&date).expect("a date").as_secs();
        assert!((98..=100).contains(&seconds), "{seconds}");
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }

    #[test]
    fn the_first_thousand_characters_are_kept() {
        assert_eq!(kept("é".repeat(3000).as_bytes()), "é".repeat(1000));
        assert_eq!(kept(b"a\0b"), "ab");
        assert_eq!(kept(b"\xff"), "\u{fffd}");
    }
}
