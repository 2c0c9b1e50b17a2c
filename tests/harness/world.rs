//! The program with all that it needs and a receiver, in production and embedded.

use std::path::PathBuf;
use std::pin::Pin;

use posthaste::model::clock;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::api::Api;
use super::eventually::{LONG, eventually};
use super::postgres::{self, Postgres};
use super::process::{Launch, Process};
use super::receiver::Receiver;
use super::redis::{self, Redis};
use super::watchdog;

/// One running program with a receiver.
pub(crate) struct World {
    pub(crate) receiver: Receiver,
    pub(crate) app: Process,
    pub(crate) api: Api,
    pub(crate) stores: Stores,
    role: &'static str,
    env: Vec<(String, String)>,
}

/// Where the program keeps things.
#[derive(Clone)]
pub(crate) enum Stores {
    Production { postgres_url: String, redis_url: String, prefix: String },
    Embedded { file: PathBuf },
}

/// A world before it starts: `World::production().set(…).await`.
pub(crate) struct Setup {
    production: bool,
    stores: Option<Stores>,
    role: &'static str,
    env: Vec<(String, String)>,
}

impl World {
    /// `serve --role all` over PostgreSQL and Redis, with a database and a prefix of its own.
    pub(crate) fn production() -> Setup {
        Setup { production: true, stores: None, role: "all", env: Vec::new() }
    }

    /// `dev` over one SQLite file.
    pub(crate) fn embedded() -> Setup {
        Setup { production: false, stores: None, role: "all", env: Vec::new() }
    }

    /// One more process over the same stores with the same settings. Production only has roles.
    pub(crate) async fn another(&self, role: &str) -> Process {
        launch(&self.stores, role, &self.env).start().await
    }

    /// Ends the program with `kill -9`, and starts it again.
    pub(crate) async fn crash(&mut self) {
        self.app.kill();
        self.start_again().await;
    }

    /// Starts the program again over the same stores, on the same port; the old one is killed if it still runs.
    pub(crate) async fn start_again(&mut self) {
        self.app.kill();
        self.app = launch(&self.stores, self.role, &self.env).on_port(self.app.port()).start().await;
        self.api = self.app.api();
    }

    /// Makes a waiting delivery due now, once its due time is on the schedule.
    pub(crate) async fn hurry(&self, delivery: &Value) {
        let mut redis = self.redis().await;
        let (key, id) = (self.key("webhook_retries"), delivery["id"].as_str().expect("an id"));
        let due = clock::unix_seconds(super::time(&delivery["next_retry_at"]));
        eventually(LONG, async || {
            let score: Option<f64> = ::redis::cmd("ZSCORE").arg(&key).arg(id).query_async(&mut redis).await.expect("Redis runs");
            score.is_some_and(|score| (score - due).abs() < 0.001).then_some(())
        })
        .await;
        ::redis::cmd("ZADD").arg(&key).arg("XX").arg(1).arg(id).query_async::<()>(&mut redis).await.expect("Redis runs");
    }

    /// Door 1: `LPUSH` of these entries, in order, in one command.
    pub(crate) async fn push(&self, entries: &[String]) {
        let Stores::Production { redis_url, prefix, .. } = &self.stores else { panic!("door 1 needs Redis") };
        let mut connection = redis::connect(redis_url).await.expect("Redis runs");
        let mut command = ::redis::cmd("LPUSH");
        command.arg(format!("{prefix}webhook_events")).arg(entries).query_async::<()>(&mut connection).await.expect("Redis runs");
    }

    /// Door 3: SQL of the application's own.
    pub(crate) async fn sql(&self) -> postgres::Connection {
        let Stores::Production { postgres_url, .. } = &self.stores else { panic!("door 3 needs PostgreSQL") };
        postgres::connect(postgres_url).await.expect("PostgreSQL runs")
    }

    /// Registers an endpoint for everything at the receiver's `path`, and returns its id.
    pub(crate) async fn register(&self, path: &str, more: &Value) -> i64 {
        self.api.register(&self.receiver.url(path), more).await.id
    }
}

impl Setup {
    /// A variable of the program's environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Over these stores instead of fresh ones, as private servers or proxies.
    pub(crate) fn over(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// The role of the program, where it is not `all`. Production only has roles.
    pub(crate) fn role(mut self, role: &'static str) -> Self {
        self.role = role;
        self
    }

    async fn start(self) -> World {
        let stores = match self.stores {
            Some(stores) => stores,
            None if self.production => Stores::production().await,
            None => Stores::Embedded { file: watchdog::directory("sqlite").join("posthaste.sqlite") },
        };
        let app = launch(&stores, self.role, &self.env).start().await;
        World { receiver: Receiver::start().await, api: app.api(), app, stores, role: self.role, env: self.env }
    }
}

impl IntoFuture for Setup {
    type Output = World;
    type IntoFuture = Pin<Box<dyn Future<Output = World>>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl Stores {
    /// A migrated database and a prefix of their own on the shared servers.
    pub(crate) async fn production() -> Self {
        static TEMPLATE: OnceCell<()> = OnceCell::const_new();
        let (postgres, redis) = tokio::join!(Postgres::shared(), Redis::shared());
        TEMPLATE.get_or_init(|| migrated_template(postgres)).await;
        let postgres_url = postgres.database("migrated").await;
        Self::Production { postgres_url, redis_url: redis.url(), prefix: redis::prefix() }
    }

    /// An empty, migrated database on servers that the test owns.
    pub(crate) async fn on(postgres: &Postgres, redis: &Redis) -> Self {
        let postgres_url = postgres.database("template1").await;
        migrate(&postgres_url).await;
        Self::Production { postgres_url, redis_url: redis.url(), prefix: String::new() }
    }
}

async fn migrated_template(postgres: &Postgres) {
    let connection = postgres::connect(&postgres.url("postgres")).await.expect("PostgreSQL runs");
    connection.batch_execute("DROP DATABASE IF EXISTS migrated").await.expect("nobody uses it");
    connection.batch_execute("CREATE DATABASE migrated").await.expect("a new name");
    migrate(&postgres.url("migrated")).await;
}

/// `posthaste migrate`.
pub(crate) async fn migrate(postgres_url: &str) {
    let finished = Launch::new(["migrate"]).set("POSTGRES_URL", postgres_url).finish().await;
    assert_eq!(finished.code, Some(0), "posthaste migrate: {}", finished.stderr);
}

/// The program over these stores, not started yet.
pub(crate) fn launch(stores: &Stores, role: &str, env: &[(String, String)]) -> Launch {
    let launch = match stores {
        Stores::Production { postgres_url, redis_url, prefix } => Launch::serve(role, postgres_url, redis_url, prefix),
        Stores::Embedded { file } => Launch::dev(file),
    };
    // Tests fail deliveries by the hundred on purpose, and how long that takes is the machine's. What opens a breaker, its own tests say.
    let launch = launch.set("POSTHASTE__BREAKER__FAILURES", "1000000");
    env.iter().fold(launch, |launch, (name, value)| launch.set(name, value))
}

/// Makes two tests of one: `both_modes! { async fn a_sentence(setup: Setup) { let world = setup.await; … } }`.
macro_rules! both_modes {
    ($(async fn $name:ident($setup:ident: Setup) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a sentence may need nothing but its world")]
            use super::*;
            async fn promise($setup: $crate::harness::Setup) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn in_production() {
                promise($crate::harness::World::production()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                promise($crate::harness::World::embedded()).await;
            }
        }
    )+};
}
pub(crate) use both_modes;
