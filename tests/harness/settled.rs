//! Waiting until nothing is under way any more, so that a test can say what did *not* happen.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};

use super::eventually::eventually;
use super::postgres;
use super::world::{Stores, World};

/// Longer than any test's retries, and than a sweep that has to find what was left behind.
const SETTLED: Duration = Duration::from_secs(60);

const UNDER_WAY: &str = "SELECT (SELECT count(*) FROM webhook_events WHERE routed_at IS NULL AND set_aside IS NULL) +
    (SELECT count(*) FROM webhook_deliveries WHERE status IN ('pending', 'retrying')) AS number";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl World {
    /// Asks the database itself: `SELECT … AS number`.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match &self.stores {
            Stores::Production { .. } => self.sql().await.query_one(sql, &[]).await.expect("a number").get(0),
            Stores::Embedded { file } => number_in(file, sql),
        }
    }

    /// Changes the database itself, as an owner with plain SQL does.
    pub(crate) async fn execute(&self, sql: &str) {
        self.stores.execute(sql).await;
    }

    /// How many rows a table has.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS number FROM {table}")).await
    }

    /// Waits until everything that was enqueued has been matched, and every delivery has ended.
    pub(crate) async fn settled(&self) {
        eventually(SETTLED, async || {
            let nothing = self.nothing_is_claimed().await && self.number(UNDER_WAY).await == 0;
            nothing.then_some(())
        })
        .await;
    }

    async fn nothing_is_claimed(&self) -> bool {
        let Stores::Production { prefix, .. } = &self.stores else { return true };
        let mut connection = self.redis().await;
        // SCAN takes a pattern, in which the brackets of a prefix would be more than themselves.
        let all: Vec<String> = ::redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("Redis runs");
        let own = all.iter().filter_map(|key| key.strip_prefix(prefix.as_str()));
        // A worker that waits keeps an empty claim ready: it is a lease, and no list.
        let idle = ["webhook_dead_letters", "webhook_claims", "webhook_memory"];
        own.filter(|key| key.starts_with("webhook_")).all(|key| idle.contains(&key))
    }
}

impl Stores {
    /// The same.
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Self::Production { postgres_url, .. } => {
                let connection = postgres::connect(postgres_url).await.expect("PostgreSQL runs");
                connection.batch_execute(sql).await.expect("valid SQL");
            }
            Self::Embedded { file } => open(file).batch_execute(sql).expect("valid SQL"),
        }
    }
}

fn number_in(file: &Path, sql: &str) -> i64 {
    diesel::sql_query(sql).get_result::<Number>(&mut open(file)).expect("a number").number
}

fn open(file: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(file.to_str().expect("our own name")).expect("the file is there");
    connection.batch_execute("PRAGMA busy_timeout = 5000").expect("SQLite");
    connection
}
