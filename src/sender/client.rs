//! The one HTTP client of all deliveries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::TlsConnector;

use super::classify;
use super::connect::{self, Connector};
use super::guard::Guard;
use super::line::{Book, Open, Use};
use super::resolve::GuardedResolver;
use super::target::Target;
use crate::config::ConnectionSettings;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::DeliveryId;
use crate::model::event::Event;
use crate::model::outcome::{Answer, Attempt, Failure, FailureKind, KEPT_BODY_CHARS, Outcome};
use crate::model::trace::TraceContext;

/// How much of an answer's body is read. Where there is more, the connection is closed instead.
const READ_BYTES: usize = 64 << 10;
/// How large an answer's head may be, and how many fields it may have.
const HEAD_BYTES: u32 = 64 << 10;
const HEAD_FIELDS: usize = 256;
/// How much of a body a receiver may send over HTTP/2 before we read it: for one request, and for all on one connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How long an HTTP/2 connection with requests on it may be silent before it is asked for a sign of life, and how long that may take.
const PING_AFTER: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(10);

type HttpClient = Client<Connector, Full<Bytes>>;

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct SenderError(#[from] rustls::Error);

/// Sends requests. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Sender {
    /// Keeps connections for further requests.
    keeping: HttpClient,
    /// Makes a connection for each request.
    pub(super) single: HttpClient,
    pub(super) guard: Guard,
    pub(super) resolver: GuardedResolver,
    pub(super) tls: TlsConnector,
    open: Open,
    most_open: usize,
}

/// What one attempt is made for.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    pub delivery: DeliveryId,
    pub event: &'a Event,
    /// From 1.
    pub attempt: u32,
    /// What the receiver gets as `traceparent`; it gets none without.
    pub trace: Option<TraceContext>,
}

/// Why a request has no answer.
struct Unanswered {
    failure: Failure,
    /// The receiver says that it did nothing with the request.
    unseen: bool,
}

impl Sender {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(guard: Guard, settings: &ConnectionSettings) -> Result<Self, SenderError> {
        let open = Open::default();
        let tls = connect::tls(&settings.more_roots)?;
        let (resolver, tls) = (GuardedResolver::new(guard.clone()), TlsConnector::from(Arc::new(tls)));
        let connector = Connector::new(resolver.clone(), tls.clone(), open.clone());
        let client = |idle_per_host: usize| {
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_max_idle_per_host(idle_per_host)
                .pool_idle_timeout(settings.idle)
                .http1_max_buf_size(HEAD_BYTES as usize)
                .http1_max_headers(HEAD_FIELDS)
                .http2_max_header_list_size(HEAD_BYTES)
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(CONNECTION_WINDOW)
                .http2_keep_alive_interval(PING_AFTER)
                .http2_keep_alive_timeout(PING_WITHIN)
                .build(connector.clone())
        };
        Ok(Self { keeping: client(settings.idle_per_host), single: client(0), guard, resolver, tls, open, most_open: settings.kept })
    }

    /// How many connections to receivers are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.count()
    }

    /// Makes one attempt that is no delivery's, and says so to the receiver.
    pub async fn test(&self, target: Target, event: &Event) -> Attempt {
        let made = Made { delivery: DeliveryId(uuid::Uuid::now_v7()), event, attempt: 1, trace: event.traceparent };
        self.send(&target.for_tests(), made).await
    }

    /// Makes one attempt. Whatever the receiver does, within the endpoint's timeout this ends in an outcome.
    pub async fn send(&self, target: &Target, made: Made<'_>) -> Attempt {
        let started_at = clock::now();
        let started = Instant::now();
        let deadline = tokio::time::Instant::from_std(started) + target.timeout;
        let outcome = match connect::until(deadline, self.exchange(target, made, started_at)).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(failure)) => Outcome::Failed(failure),
            Err(_) => Outcome::Failed(Failure {
                kind: FailureKind::Timeout,
                detail: format!("no complete answer within {} s", target.timeout.as_secs_f64()),
            }),
        };
        Attempt { started_at, took: started.elapsed(), outcome }
    }

    async fn exchange(&self, target: &Target, made: Made<'_>, at: Timestamp) -> Result<Answer, Failure> {
        self.guard.check_url(&target.url).map_err(|reason| classify::blocked(&reason))?;
        let uri = target.uri.as_ref().ok_or_else(classify::unusable_url)?;
        let request = || {
            let mut request = Request::new(Full::new(made.event.body.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = target.headers(made, at);
            request
        };
        // Connections that are kept never outnumber this; what comes beyond closes its own.
        let client = if self.open.count() < self.most_open { &self.keeping } else { &self.single };
        let answered = match ask(client, request()).await {
            // Only where it cannot have done anything with the request: whatever else ends a connection is an outcome.
            Err(unanswered) if unanswered.unseen => ask(&self.single, request()).await,
            answered => answered,
        };
        let (response, _using) = answered.map_err(|unanswered| unanswered.failure)?;
        read(response).await
    }
}

async fn ask(client: &HttpClient, mut request: Request<Full<Bytes>>) -> Result<(Response<Incoming>, Option<Use>), Unanswered> {
    let captured = capture_connection(&mut request);
    let mut waiting = captured.clone();
    let mut answering = std::pin::pin!(client.request(request));
    let mut using = None;
    let answered = tokio::select! {
        biased;
        answered = &mut answering => answered,
        book = async { Book::of(waiting.wait_for_connection_metadata().await.as_ref()) } => {
            using = book.map(Use::begin);
            answering.await
        }
    };
    match answered {
        Ok(response) => Ok((response, using)),
        Err(error) => Err(Unanswered { failure: classify::failure(&error), unseen: classify::is_untouched(&error) }),
    }
}

async fn read(mut response: Response<Incoming>) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        let frame = frame.map_err(|error| classify::failure(&error))?;
        let Some(chunk) = frame.data_ref() else { continue };
        body.extend_from_slice(&chunk[..chunk.len().min(READ_BYTES - body.len())]);
        if body.len() == READ_BYTES {
            break;
        }
    }
    Ok(Answer { status, body: kept(&body), retry_after })
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
