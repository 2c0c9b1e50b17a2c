//! A certificate authority of a test's own, and receivers that speak TLS.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Datelike as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::raw::Raw;
use super::watchdog;

pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Identity {
    chain: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of the same name would be taken for one.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("an authority of a test, number {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Its certificate as a file, for `tls.ca_files`.
    pub(crate) fn file(&self) -> PathBuf {
        let path = watchdog::directory("tls").join("ca.pem");
        std::fs::write(&path, &self.pem).expect("our own directory");
        path
    }

    /// A certificate for these names or addresses.
    pub(crate) fn identity(&self, names: &[&str]) -> Identity {
        self.signed(&params(names))
    }

    pub(crate) fn expired(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.signed(&params)
    }

    /// One that is valid for so many days from now.
    pub(crate) fn expiring(&self, names: &[&str], days: i64) -> Identity {
        let mut params = params(names);
        let end = chrono::Utc::now() + chrono::TimeDelta::days(days);
        let (year, month, day) = (end.year(), end.month(), end.day());
        params.not_after = date_time_ymd(year, u8::try_from(month).unwrap(), u8::try_from(day).unwrap());
        self.signed(&params)
    }

    fn signed(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("signed").der().clone();
        Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }
}

impl Identity {
    /// A certificate that nobody but itself vouches for.
    pub(crate) fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let chain = params(names).self_signed(&key).expect("signed").der().clone();
        Self { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    /// A server that does with each connection what a test says, after TLS. `alpn`: what it speaks, as `h2`.
    pub(crate) async fn serve<F: Future<Output = ()> + Send + 'static>(
        self,
        alpn: &str,
        with: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
    ) -> Raw {
        let (acceptor, with) = (self.acceptor(alpn), Arc::new(with));
        Raw::serve(move |stream| {
            let (acceptor, with) = (acceptor.clone(), Arc::clone(&with));
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    with(stream).await;
                }
            }
        })
        .await
    }

    /// The server's side of TLS.
    pub(crate) fn acceptor(self, alpn: &str) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_no_client_auth().with_single_cert(vec![self.chain], self.key).expect("a certificate and its key");
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names")
}
