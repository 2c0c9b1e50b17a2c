//! Takes spans to the collector: in batches, one request after the other. A collector that is away costs its spans, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::encode;
use super::lost::Lost;
use super::span::{Span, Value};
use crate::config::TracingSettings;

/// Spans of one request at most.
const BATCH: usize = 1024;
/// How long a span waits for others at most.
const LINGER: Duration = Duration::from_secs(1);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long after a failure the same batch is tried again; after the last one it is lost.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// How often lost spans are worth a line.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// How much of an answer is read, so that its connection can be kept.
const READ_BYTES: usize = 64 << 10;

/// The client of the collector could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("TLS cannot be set up for the collector of spans: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the client of the collector of spans cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a batch was not taken.
struct Refused {
    reason: String,
    /// Whether it may be taken later.
    passing: bool,
}

pub(super) struct Exporter {
    spans: mpsc::Receiver<Span>,
    http: reqwest::Client,
    collector: Url,
    resource: Vec<(&'static str, Value)>,
    lost: Arc<Lost>,
    warned_at: Option<Instant>,
    failing: bool,
}

impl Exporter {
    pub(super) fn new(
        settings: &TracingSettings,
        collector: Url,
        more_roots: &[CertificateDer<'static>],
        spans: mpsc::Receiver<Span>,
        lost: Arc<Lost>,
    ) -> Result<Self, ExportError> {
        let mut headers = settings.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(collector.scheme() == "https", more_roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .default_headers(headers)
            .user_agent(concat!("Posthaste/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .build()?;
        let resource = vec![
            ("service.name", Value::Text(settings.service_name.clone())),
            ("service.version", Value::Literal(env!("CARGO_PKG_VERSION"))),
            ("service.instance.id", Value::Text(uuid::Uuid::now_v7().to_string())),
            ("process.pid", Value::from(u64::from(std::process::id()))),
        ];
        Ok(Self { spans, http, collector, resource, lost, warned_at: None, failing: false })
    }

    /// Exports until `stop`, and then what is left.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let came = tokio::select! {
                biased;
                came = self.spans.recv_many(&mut batch, BATCH) => came,
                () = stop.cancelled(), if !self.spans.is_closed() => {
                    self.spans.close();
                    continue;
                }
            };
            if came == 0 {
                self.warn_of_lost("the process ends", true);
                return;
            }
            self.fill(&mut batch, &stop).await;
            self.export(&batch, &stop).await;
            batch.clear();
        }
    }

    /// Waits for more, so that a request is worth it.
    async fn fill(&mut self, batch: &mut Vec<Span>, stop: &CancellationToken) {
        if batch.len() < BATCH {
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = stop.cancelled() => {}
            }
        }
        while batch.len() < BATCH
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
    }

    async fn export(&mut self, batch: &[Span], stop: &CancellationToken) {
        let body = Bytes::from(encode::request(&self.resource, batch));
        let mut waits = AGAIN.iter();
        let refused = loop {
            let Err(refused) = self.post(body.clone()).await else {
                if std::mem::take(&mut self.failing) {
                    tracing::info!(lost = self.lost.take(), "spans are exported again");
                }
                self.warn_of_lost("more came than it takes", false);
                return;
            };
            // When the process ends, there is no later.
            let Some(wait) = waits.next().filter(|_| refused.passing && !stop.is_cancelled()) else { break refused };
            tokio::select! {
                () = tokio::time::sleep(*wait) => {}
                () = stop.cancelled() => {}
            }
        };
        self.failing = true;
        self.lost.add(batch.len() as u64);
        self.warn_of_lost(&refused.reason, false);
    }

    async fn post(&self, body: Bytes) -> Result<(), Refused> {
        let sent = self.http.post(self.collector.clone()).body(body).send().await;
        let mut answer = sent.map_err(|error| Refused { reason: unanswered(&error), passing: true })?;
        let status = answer.status();
        let mut read = 0;
        while read < READ_BYTES
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            read += chunk.len();
        }
        if status.is_success() {
            return Ok(());
        }
        // Those that OTLP 1 says to repeat.
        let passing =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        Err(Refused { reason: format!("it answered {}", status.as_u16()), passing: passing.contains(&status) })
    }

    /// Now and then, or at last: a collector that is away for a day must not fill the log.
    fn warn_of_lost(&mut self, reason: &str, last: bool) {
        let recently = self.warned_at.is_some_and(|at| at.elapsed() < WARN_EVERY);
        if recently && !last {
            return;
        }
        let lost = self.lost.take();
        if lost > 0 {
            self.warned_at = Some(Instant::now());
            tracing::warn!(collector = %self.collector, reason, lost, "spans could not be exported, and are lost");
        }
    }
}

/// Without the URL, which the line has anyway.
fn unanswered(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() }
}

fn tls(needed: bool, more_roots: &[CertificateDer<'static>]) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(more_roots.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
