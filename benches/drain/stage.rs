//! The servers of the production mode: they flush to disk as servers in production do.

use redis::aio::MultiplexedConnection;

use crate::harness::postgres::{self, Connection, Postgres};
use crate::harness::process::{Launch, Process};
use crate::harness::redis::Redis;

/// PostgreSQL (`fsync` and `synchronous_commit` on) and Redis (append-only file, flushed every second), for all rounds.
pub(crate) struct Stage {
    postgres: Postgres,
    redis: Redis,
    settings: Vec<(String, String)>,
}

/// A migrated database, and an empty Redis.
pub(crate) struct Scene {
    pub(crate) sql: Connection,
    pub(crate) redis: MultiplexedConnection,
    launch: Launch,
}

impl Stage {
    pub(crate) async fn start(settings: &[(String, String)]) -> Self {
        Self { postgres: Postgres::private().await, redis: Redis::private().await, settings: settings.to_vec() }
    }

    /// Ends the scene before it.
    pub(crate) async fn scene(&self, endpoint_url: &str) -> Scene {
        let scene = self.empty().await;
        scene.register("bench", endpoint_url, "*").await;
        scene.begin().await;
        scene
    }

    /// Without endpoints. Ends the scene before it.
    pub(crate) async fn empty(&self) -> Scene {
        self.clear().await;
        let database = self.postgres.database("template1").await;
        let migrated = Launch::new(["migrate"]).set("POSTGRES_URL", &database).finish().await;
        assert_eq!(migrated.code, Some(0), "posthaste migrate: {}", migrated.stderr);
        let sql = postgres::connect(&database).await.expect("PostgreSQL runs");
        self.redis.flush().await;
        let launch = Launch::serve("worker", &database, &self.redis.url(), "");
        let launch = self.settings.iter().fold(launch, |launch, (name, value)| launch.set(name, value));
        Scene { sql, redis: self.redis.connect().await, launch }
    }

    /// Autovacuum must not look after the tables of a scene that is over while another one is measured.
    async fn clear(&self) {
        let sql = postgres::connect(&self.postgres.url("postgres")).await.expect("PostgreSQL runs");
        let rows = sql.query("SELECT datname::text FROM pg_database WHERE datname LIKE 'test%'", &[]).await.expect("PostgreSQL runs");
        for row in rows {
            let statement = format!("DROP DATABASE {} WITH (FORCE)", row.get::<_, String>(0));
            sql.batch_execute(&statement).await.expect("the tests' user may");
        }
    }
}

impl Scene {
    /// What was written until now must not be written while something is measured.
    pub(crate) async fn begin(&self) {
        self.sql.batch_execute("CHECKPOINT").await.expect("the tests' user may");
    }

    pub(crate) async fn register(&self, name: &str, url: &str, event_type: &str) {
        let statement = "INSERT INTO webhook_endpoints (name, url, event_types) VALUES ($1, $2, ARRAY[$3])";
        self.sql.execute(statement, &[&name, &url, &event_type]).await.expect("an endpoint");
    }

    /// A setting that counts only here.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.launch = self.launch.set(name, value);
        self
    }

    pub(crate) async fn worker(&self) -> Process {
        self.launch.clone().start().await
    }

    /// Door 1.
    pub(crate) async fn push(&self, entries: &[String]) {
        let mut pipe = redis::pipe();
        for entry in entries {
            pipe.lpush("webhook_events", entry).ignore();
        }
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
    }

    /// Whether nothing waits, is claimed or is due later: all that came is recorded then.
    pub(crate) async fn is_settled(&self) -> bool {
        let mut pipe = redis::pipe();
        // An idle worker has the lease of a claim that is still empty, so claims are counted by their items.
        pipe.llen("webhook_events").hlen("webhook_routing").zcard("webhook_retries").keys("webhook_claim:*");
        let left: (usize, usize, usize, Vec<String>) = pipe.query_async(&mut self.redis.clone()).await.expect("Redis runs");
        left == (0, 0, 0, Vec::new())
    }

    /// How often Redis read from a connection: about one for each round trip.
    pub(crate) async fn redis_reads(&self) -> f64 {
        let info: String = redis::cmd("INFO").arg("stats").query_async(&mut self.redis.clone()).await.expect("Redis runs");
        let reads = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        reads.and_then(|count| count.trim().parse().ok()).unwrap_or(f64::NAN)
    }

    pub(crate) async fn delivered_rows(&self) -> i64 {
        let statement = "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'";
        self.sql.query_one(statement, &[]).await.expect("PostgreSQL runs").get(0)
    }
}

/// Ends it in order, and answers what it complained about.
pub(crate) async fn end(mut process: Process) -> Vec<String> {
    process.terminate();
    let status = process.exited().await;
    let log = process.stderr();
    let mut complaints: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" WARN ") || line.contains(" ERROR ") || line.contains("panicked"))
        .map(str::to_owned)
        .collect();
    if !status.success() {
        complaints.push(format!("it ended with {status}"));
    }
    complaints
}
