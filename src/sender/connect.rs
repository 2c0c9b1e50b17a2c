//! Makes connections: an address that the guard lets through, TCP, TLS.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use tower_service::Service;

use super::line::{Line, Open};
use super::resolve::GuardedResolver;

/// After how much silence a connection is asked whether the other side is still there.
const ASK_AFTER: Duration = Duration::from_secs(15);

type BoxError = Box<dyn Error + Send + Sync>;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs an attempt. A connection that is made for it is given up at the same time as the attempt, even when
/// the attempt got another connection meanwhile and this one is made for the pool.
pub(super) fn until<F: Future>(deadline: Instant, attempt: F) -> impl Future<Output = Result<F::Output, tokio::time::error::Elapsed>> {
    tokio::time::timeout_at(deadline, DEADLINE.scope(deadline, attempt))
}

#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<GuardedResolver>,
    tls: TlsConnector,
    open: Open,
}

impl Connector {
    pub(super) fn new(resolver: GuardedResolver, tls: TlsConnector, open: Open) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(ASK_AFTER));
        tcp.set_keepalive_interval(Some(ASK_AFTER));
        tcp.set_keepalive_retries(Some(3));
        Self { tcp, tls, open }
    }
}

impl Service<Uri> for Connector {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let name = server_name(&uri);
        let connecting = self.tcp.call(uri);
        let (tls, open) = (self.tls.clone(), self.open.clone());
        let connecting = async move {
            let tcp = connecting.await?.into_inner();
            let stream = if secure { Either::Right(tls.connect(name?, tcp).await?) } else { Either::Left(tcp) };
            Ok(Line::new(stream, open))
        };
        let deadline = DEADLINE.try_with(|deadline| *deadline);
        Box::pin(async move {
            let Ok(deadline) = deadline else { return connecting.await };
            tokio::time::timeout_at(deadline, connecting).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}

pub(super) fn server_name(uri: &Uri) -> Result<ServerName<'static>, BoxError> {
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(ServerName::try_from(host)?.to_owned())
}

/// Trusts what the system trusts, and `more`. Offers HTTP/2, and HTTP/1.1 to receivers that do not speak it.
pub(super) fn tls(more: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(more.iter().cloned());
    if roots.is_empty() {
        tracing::warn!(
            "the system has no root certificates, so no https endpoint can be reached: install ca-certificates or set tls.ca_files"
        );
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
