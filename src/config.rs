//! Settings: defaults, then a file, then the environment; then valid, with every problem reported at once.

mod load;
mod metrics;
mod reader;
mod receivers;
mod security;
mod tokens;
mod tracing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;

use crate::model::endpoint::EndpointDefaults;
use crate::model::secret::Secret;
use crate::model::token::Token;

pub use load::{BadSettings, Layers, effective, load};
pub use security::{MasterKey, SecuritySettings};
pub use tracing::TracingSettings;

/// What this process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One SQLite file, API and worker in one process.
    Embedded,
    Serve(Role),
    /// Only what the databases need.
    Migrate,
    /// Nothing but to look at the settings: servers need not be named.
    Look,
}

/// What a process of the production mode does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    All,
    Api,
    Worker,
}

impl Role {
    #[must_use]
    pub fn has_api(self) -> bool {
        self != Self::Worker
    }
    #[must_use]
    pub fn has_worker(self) -> bool {
        self != Self::Api
    }
}

/// All settings, valid.
#[derive(Debug, Clone)]
pub struct Settings {
    pub http: HttpSettings,
    pub security: SecuritySettings,
    pub redis: RedisSettings,
    pub postgres: PostgresSettings,
    pub sqlite: SqliteSettings,
    pub worker: WorkerSettings,
    pub breaker: BreakerSettings,
    pub retry: RetrySettings,
    pub guard: GuardSettings,
    pub connections: ConnectionSettings,
    pub endpoints: EndpointDefaults,
    /// How long an endpoint may fail before it is disabled; zero is for ever.
    pub disable_after: Duration,
    pub max_event_bytes: usize,
    pub sweep_interval: Duration,
    pub shutdown_grace: Duration,
    pub retention: RetentionSettings,
    pub metrics: MetricsSettings,
    pub log: LogSettings,
    pub tracing: TracingSettings,
}

#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    pub tokens: Vec<Token>,
    pub max_body_bytes: usize,
}

#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub url: Secret,
    pub prefix: String,
    pub lease: Duration,
    /// At least one. One is a queue without shards.
    pub shards: usize,
}

#[derive(Debug, Clone)]
pub struct PostgresSettings {
    pub url: Secret,
    pub connections: u32,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct SqliteSettings {
    pub path: PathBuf,
}

#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Requests in flight at most.
    pub in_flight: usize,
    /// Requests in flight to one endpoint at most, where it does not say otherwise.
    pub endpoint_in_flight: usize,
    /// Entries of one claim at most.
    pub claim_batch: usize,
    /// Deliveries of one commit at most.
    pub commit_batch: usize,
    /// How long an event waits for the last of its deliveries before it is recorded without.
    pub hold: Duration,
    /// How long a delivery waits for its turn before it goes back onto the schedule.
    pub park_after: Duration,
}

/// When an endpoint is left alone because it is broken, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// Attempts in a row that timed out.
    pub silent: u32,
    /// Failed attempts in a row of any kind, over at least `after`.
    pub failures: u32,
    pub after: Duration,
    /// The first pause; each further one lasts twice as long.
    pub pause: Duration,
    pub max_pause: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// The part by which a waiting time is made longer or shorter at random.
    pub jitter: f64,
    pub max_delay: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct RetentionSettings {
    /// How long what is over is kept.
    pub keep: Duration,
    /// How long the answer to a request with an `Idempotency-Key` is.
    pub keyed: Duration,
    /// How often what is older is looked for.
    pub interval: Duration,
}

#[derive(Debug, Clone, Default)]
pub struct GuardSettings {
    pub allow: Vec<IpNet>,
    pub deny: Vec<IpNet>,
    /// Whether endpoints must be reached by https.
    pub https_only: bool,
}

/// Connections to receivers.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// How many are open at most before a request closes its own.
    pub kept: usize,
    /// How many of one host are kept while nobody uses them.
    pub idle_per_host: usize,
    /// How long one is kept that nobody uses.
    pub idle: Duration,
    /// Whom to trust besides those whom the system trusts.
    pub more_roots: Vec<CertificateDer<'static>>,
}

/// How many label values metrics have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Names of endpoints; all further ones are `other`.
    pub max_endpoints: usize,
    /// Types of events; all further ones are `other`.
    pub max_event_types: usize,
}

#[derive(Debug, Clone)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A level or directives of tracing's `EnvFilter`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
