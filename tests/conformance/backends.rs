//! The one place that makes backends for these tests.

use posthaste::backends::postgres::Postgres;
use posthaste::backends::redis::RedisQueue;
use posthaste::backends::sqlite::Sqlite;
use posthaste::config::{MasterKey, PostgresSettings, RedisSettings, SecuritySettings};
use posthaste::model::secret::Secret;
use posthaste::ports::Catalog;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::fixtures::{LEASE, Stand};
use crate::harness::{self, watchdog};

/// Redis and Postgres, with what plain commands and SQL need to reach them.
pub(super) struct Production {
    pub(super) stand: Stand,
    pub(super) postgres: Arc<Postgres>,
    pub(super) postgres_url: String,
    pub(super) redis_url: String,
    pub(super) prefix: String,
}

pub(super) async fn production() -> Production {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    let (server, redis) = tokio::join!(harness::Postgres::shared(), harness::Redis::shared());
    TEMPLATE
        .get_or_init(async || {
            let connection = harness::postgres::connect(&server.url("postgres")).await.expect("PostgreSQL runs");
            connection.batch_execute("CREATE DATABASE conformance").await.expect("a new name");
            migrate(&server.url("conformance")).await;
        })
        .await;
    let (postgres_url, redis_url, prefix) = (server.database("conformance").await, redis.url(), harness::redis::prefix());
    let postgres = Arc::new(connect(&postgres_url));
    let queue = Arc::new(
        RedisQueue::new(&RedisSettings { url: Secret::new(redis_url.clone()), prefix: prefix.clone(), lease: LEASE, shards: 1 })
            .expect("a URL"),
    );
    let stand = Stand { queue, records: postgres.clone(), catalog: postgres.clone() };
    Production { stand, postgres, postgres_url, redis_url, prefix }
}

pub(super) async fn redis_and_postgres() -> Stand {
    production().await.stand
}

/// As [`redis_and_postgres`], with the queue in four shards on a Redis Cluster of three masters.
pub(super) async fn sharded() -> Stand {
    let (cluster, production) = (harness::Cluster::shared().await, production().await);
    let prefix = production.prefix.replace(['{', '}'], "");
    let queue = RedisQueue::open(&RedisSettings { url: Secret::new(cluster.url()), prefix, lease: LEASE, shards: 4 }, None).expect("a URL");
    Stand { queue, ..production.stand }
}

pub(super) async fn sqlite() -> Stand {
    let file = watchdog::directory("conformance").join("posthaste.sqlite");
    let sqlite = Arc::new(Sqlite::open(&file, LEASE).expect("a new file"));
    Stand { queue: sqlite.clone(), records: sqlite.clone(), catalog: sqlite }
}

/// Rows that outlive whoever opens them.
pub(super) enum Rows {
    Postgres { url: String },
    Sqlite { file: PathBuf },
}

impl Rows {
    pub(super) async fn postgres() -> Self {
        Self::Postgres { url: production().await.postgres_url }
    }

    pub(super) fn sqlite() -> Self {
        Self::Sqlite { file: watchdog::directory("conformance").join("posthaste.sqlite") }
    }

    /// The endpoints in them, opened with these master keys. One at a time: nobody else may have the file.
    pub(super) async fn catalog(&self, keys: &[u8]) -> Box<dyn Catalog> {
        let security = SecuritySettings { master_keys: keys.iter().map(|byte| MasterKey([*byte; 32])).collect() };
        match self {
            Self::Postgres { url } => Box::new(connect(url).with_keys(&security)),
            Self::Sqlite { file } => Box::new(Sqlite::open(file, LEASE).expect("nobody has it").with_keys(&security)),
        }
    }
}

pub(super) async fn migrate(url: &str) {
    connect(url).migrate().await.expect("migrated");
}

pub(super) fn connect(url: &str) -> Postgres {
    let deadline = Duration::from_secs(10);
    let settings =
        PostgresSettings { url: Secret::new(url.to_owned()), connections: 4, connect_timeout: deadline, statement_timeout: deadline };
    Postgres::new(&settings).expect("a URL")
}
