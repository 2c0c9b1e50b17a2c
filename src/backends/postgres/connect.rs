//! Connections: lazily made, with TLS only where the URL asks for it.

use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::bb8::QueueStrategy;
use diesel::result::Error;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod, bb8};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::{FutureExt, Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::{refused, unavailable};
use crate::config::PostgresSettings;
use crate::ports::BackendError;

/// What a server says unasked. Only while somebody takes it does the client get its answers.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, tokio_postgres::Error>> + Send>>;

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    connect_timeout: Duration,
    statement_timeout: Duration,
    /// Hosts, ports and database, without credentials.
    pub(super) address: String,
    /// Why the last try failed: the pool only says that it waited too long.
    last_trouble: Mutex<Option<String>>,
}

impl Connector {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, BackendError> {
        let mut config = parse(settings.url.reveal()).map_err(refused)?;
        let tls = if config.get_ssl_mode() == SslMode::Disable { None } else { Some(trust_system()?) };
        // A peer that vanished says nothing: without these, the kernel waits for a quarter of an hour.
        config
            .connect_timeout(settings.connect_timeout)
            .tcp_user_timeout(settings.statement_timeout + settings.connect_timeout)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5));
        if config.get_application_name().is_none() {
            config.application_name("posthaste");
        }
        Ok(Self {
            address: address_of(&config),
            config,
            tls,
            connect_timeout: settings.connect_timeout,
            statement_timeout: settings.statement_timeout,
            last_trouble: Mutex::new(None),
        })
    }

    /// A pool that makes its connections when they are asked for.
    pub(super) fn pool(self: &Arc<Self>, connections: u32) -> bb8::Pool<AsyncPgConnection> {
        let connector = Arc::clone(self);
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |_url| {
            let connector = Arc::clone(&connector);
            async move { connector.connect().await }.boxed()
        });
        // A closed socket is seen without asking the server, so that reading costs one round trip and not two.
        manager.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection: &mut AsyncPgConnection| {
            let sound = if connection.is_broken() { Err(Error::BrokenTransactionManager) } else { Ok(()) };
            async move { sound }.boxed()
        }));
        bb8::Pool::builder()
            .max_size(connections.max(1))
            // The one that was used last: its server process has all that it needs in its caches.
            .queue_strategy(QueueStrategy::Lifo)
            .connection_timeout(self.connect_timeout)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config(String::new(), manager))
    }

    /// A new connection, ready for use.
    pub(super) async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let made = match tokio::time::timeout(self.connect_timeout, self.establish()).await {
            Ok(made) => made,
            Err(elapsed) => Err(ConnectionError::BadConnection(format!("no answer within the connect timeout: {elapsed}"))),
        };
        let trouble = made.as_ref().err().map(ToString::to_string);
        *self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        made
    }

    async fn establish(&self) -> ConnectionResult<AsyncPgConnection> {
        let bad = |error: tokio_postgres::Error| ConnectionError::BadConnection(with_cause(&error));
        let mut connection = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(bad)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?
        } else {
            let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.map_err(bad)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?
        };
        // Errors are told apart by their text, so it should be English; setting that may be forbidden. What these connections
        // accept is offered by whoever accepts it, so the trigger of door 3 need not tell of it. Plans are kept, and the tables grow: what
        // reads a table whole while that is the cheapest would still do so with millions of rows in it. There is an index for all that grows.
        let setup = format!(
            "SET statement_timeout TO {}; SET posthaste.offers TO 'itself'; SET enable_seqscan TO off; SET jit TO off; \
             DO $$ BEGIN SET lc_messages TO 'C'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$",
            self.statement_timeout.as_millis()
        );
        connection.batch_execute(&setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A new connection without any setting of ours.
    pub(super) async fn connect_raw(&self) -> Result<(Client, Messages), tokio_postgres::Error> {
        if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await?;
            Ok((client, messages(connection)))
        } else {
            let (client, connection) = self.config.connect(tokio_postgres::NoTls).await?;
            Ok((client, messages(connection)))
        }
    }

    /// The pool is still trying.
    pub(super) fn no_connection_yet(&self) -> BackendError {
        let trouble = self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        unavailable(&self.address, trouble.unwrap_or_else(|| "no connection yet".to_owned()))
    }

    /// The pool gave no connection.
    pub(super) fn no_connection(&self, error: bb8::RunError) -> BackendError {
        let trouble = self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (error, trouble) {
            (bb8::RunError::User(error), _) => unavailable(&self.address, error),
            (bb8::RunError::TimedOut, Some(trouble)) => unavailable(&self.address, trouble),
            (bb8::RunError::TimedOut, None) => unavailable(&self.address, "every connection of the pool is in use"),
        }
    }
}

fn messages<S, T>(mut connection: Connection<S, T>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(stream::poll_fn(move |context| connection.poll_message(context)))
}

/// The driver's own text stops at "error connecting to server".
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Reads a URL, or libpq's `host=… user=…`.
fn parse(url: &str) -> Result<Config, tokio_postgres::Error> {
    let Some(start) = url.find("sslmode=").map(|at| at + "sslmode=".len()) else {
        let mut config = Config::from_str(url)?;
        config.ssl_mode(SslMode::Disable);
        return Ok(config);
    };
    let end = url[start..].find(|c: char| c == '&' || c.is_whitespace()).map_or(url.len(), |length| start + length);
    // The driver knows no more than `require`; rustls verifies the certificate and the name whatever it is called.
    let mode = if matches!(&url[start..end], "verify-ca" | "verify-full") { "require" } else { &url[start..end] };
    Config::from_str(&format!("{}{mode}{}", &url[..start], &url[end..]))
}

fn trust_system() -> Result<MakeRustlsConnect, BackendError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _unreadable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(refused("TLS is asked for, and the system has no root certificates: install ca-certificates or set SSL_CERT_FILE"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn address_of(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let hosts: Vec<_> = config.get_hosts().iter().enumerate().map(|(at, host)| format!("{}:{}", name_of(host), port(at))).collect();
    format!("{}/{}", hosts.join(","), config.get_dbname().or(config.get_user()).unwrap_or_default())
}

fn name_of(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_used_only_where_the_url_asks() {
        let table = [
            ("postgres://u:p@h/d", SslMode::Disable),
            ("postgres://u:p@h/d?sslmode=disable", SslMode::Disable),
            ("postgres://u:p@h/d?sslmode=prefer&connect_timeout=3", SslMode::Prefer),
            ("postgres://u:p@h/d?sslmode=verify-full&application_name=x", SslMode::Require),
            ("host=h user=u sslmode=verify-ca dbname=d", SslMode::Require),
            ("postgres://u:p@h/d?sslmode=require", SslMode::Require),
        ];
        for (url, wanted) in table {
            assert_eq!(parse(url).expect(url).get_ssl_mode(), wanted, "{url}");
        }
        assert!(parse("postgres://h/d?sslmode=maybe").is_err());
    }

    #[test]
    fn the_address_has_no_credentials() {
        let address = |url: &str| address_of(&parse(url).expect(url));
        assert_eq!(address("postgres://user:secret@db.example.com:5433/hooks"), "db.example.com:5433/hooks");
        assert_eq!(address("postgres://user:secret@a,b:5433/hooks"), "a:5432,b:5433/hooks");
    }
}
