//! The servers of the production mode: they flush to disk as servers in production do.

use std::time::Duration;

use posthaste::model::clock;
use redis::aio::MultiplexedConnection;

use crate::harness::eventually::eventually;
use crate::harness::postgres::{self, Connection, Postgres};
use crate::harness::process::{Launch, Process};
use crate::harness::redis::Redis;

/// A worker has so long to put back a million deliveries.
const RESTORING: Duration = Duration::from_secs(600);

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
    database: String,
    redis_url: String,
    settings: Vec<(String, String)>,
    /// Counts what was delivered.
    counted: String,
}

impl Stage {
    pub(crate) async fn start(settings: &[(String, String)]) -> Self {
        Self { postgres: Postgres::private().await, redis: Redis::private().await, settings: settings.to_vec() }
    }

    /// Ends the scenes before it.
    pub(crate) async fn scene(&self, endpoint_url: &str) -> Scene {
        let scene = self.empty().await;
        scene.register("bench", endpoint_url, "*").await;
        scene.begin().await;
        scene
    }

    /// Without endpoints. Ends the scenes before it.
    pub(crate) async fn empty(&self) -> Scene {
        self.clear().await;
        self.redis.flush().await;
        self.beside(0).await
    }

    /// Without endpoints, and ends no other scene. `number` is that of a Redis database, up to 15; no other scene may have it.
    pub(crate) async fn beside(&self, number: u8) -> Scene {
        let database = self.postgres.database("template1").await;
        let migrated = Launch::new(["migrate"]).set("POSTGRES_URL", &database).finish().await;
        assert_eq!(migrated.code, Some(0), "posthaste migrate: {}", migrated.stderr);
        let redis_url = format!("{}{number}", self.redis.url());
        Scene {
            sql: postgres::connect(&database).await.expect("PostgreSQL runs"),
            redis: crate::harness::redis::connect(&redis_url).await.expect("Redis runs"),
            database,
            redis_url,
            settings: self.settings.clone(),
            counted: "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'".to_owned(),
        }
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
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where there are too many rows to count, those of this endpoint are counted alone.
    pub(crate) fn counting(mut self, endpoint: &str) -> Self {
        self.counted = format!(
            "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered' \
             AND endpoint_id = (SELECT id FROM webhook_endpoints WHERE name = '{endpoint}')"
        );
        self
    }

    pub(crate) async fn worker(&self) -> Process {
        self.program("worker").await
    }

    /// In one of its roles.
    pub(crate) async fn program(&self, role: &str) -> Process {
        let launch = Launch::serve(role, &self.database, &self.redis_url, "");
        self.settings.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start().await
    }

    /// A worker that has put back what this Redis lacked, and marked it as known: later ones need not.
    pub(crate) async fn first_worker(&self) -> Process {
        let worker = self.worker().await;
        let is_known = async || {
            let mark: Option<String> =
                redis::cmd("GET").arg("webhook_memory").query_async(&mut self.redis.clone()).await.expect("Redis runs");
            mark.filter(|mark| mark == "whole")
        };
        eventually(RESTORING, is_known).await;
        worker
    }

    /// Door 1.
    pub(crate) async fn push(&self, entries: &[String]) {
        self.push_onto("webhook_events", entries).await;
    }

    /// Onto another list, for [`Scene::release`].
    pub(crate) async fn push_onto(&self, list: &str, entries: &[String]) {
        let mut pipe = redis::pipe();
        for entry in entries {
            pipe.lpush(list, entry).ignore();
        }
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
    }

    /// What is on that list, and one entry more, comes through door 1 in one moment.
    pub(crate) async fn release(&self, list: &str, last: &str) {
        let mut pipe = redis::pipe();
        pipe.atomic().rename(list, "webhook_events").ignore().lpush("webhook_events", last).ignore();
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
    }

    /// Whether nothing waits, is claimed or is due within a day: all that came is recorded then.
    pub(crate) async fn is_settled(&self) -> bool {
        let tomorrow = clock::unix_seconds(clock::now()) + 86_400.0;
        let mut pipe = redis::pipe();
        // An idle worker has the lease of a claim that is still empty, so claims are counted by their items.
        pipe.llen("webhook_events").hlen("webhook_routing").keys("webhook_claim:*");
        pipe.zcount("webhook_retries", "-inf", tomorrow).zcard("webhook_leased");
        let left: (usize, usize, Vec<String>, usize, usize) = pipe.query_async(&mut self.redis.clone()).await.expect("Redis runs");
        left == (0, 0, Vec::new(), 0, 0)
    }

    /// Entries of door 1 that nobody has claimed.
    pub(crate) async fn unclaimed(&self) -> u64 {
        redis::cmd("LLEN").arg("webhook_events").query_async(&mut self.redis.clone()).await.expect("Redis runs")
    }

    /// How often Redis read from a connection: about one for each round trip.
    pub(crate) async fn redis_reads(&self) -> f64 {
        self.redis_info("stats", "total_reads_processed").await
    }

    /// Bytes.
    pub(crate) async fn redis_memory(&self) -> f64 {
        self.redis_info("memory", "used_memory").await
    }

    async fn redis_info(&self, section: &str, name: &str) -> f64 {
        let info: String = redis::cmd("INFO").arg(section).query_async(&mut self.redis.clone()).await.expect("Redis runs");
        let figure = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        figure.and_then(|figure| figure.trim().parse().ok()).unwrap_or(f64::NAN)
    }

    pub(crate) async fn accepted_rows(&self) -> i64 {
        self.sql.query_one("SELECT count(*) FROM webhook_events", &[]).await.expect("PostgreSQL runs").get(0)
    }

    pub(crate) async fn delivered_rows(&self) -> i64 {
        self.sql.query_one(&self.counted, &[]).await.expect("PostgreSQL runs").get(0)
    }
}

/// What every process says here.
const EXPECTED: &str = "security.master_key is not set";

/// Ends it in order, and answers what it complained about.
pub(crate) async fn end(mut process: Process) -> Vec<String> {
    process.terminate();
    let status = process.exited().await;
    let log = process.stderr();
    let mut complaints: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" WARN ") || line.contains(" ERROR ") || line.contains("panicked"))
        .filter(|line| !line.contains(EXPECTED))
        .map(str::to_owned)
        .collect();
    if !status.success() {
        complaints.push(format!("it ended with {status}"));
    }
    complaints
}
