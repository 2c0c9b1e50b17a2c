//! Door 3: an application's `INSERT` goes out if, and only if, its transaction commits, and does not wait for the sweep.

mod commits;
mod listening;
mod missed;

use crate::harness::{LONG, Setup, World, eventually, postgres};

/// Sweeps once, when it starts: what goes out after that was heard of.
fn without_sweeps(setup: Setup) -> Setup {
    setup.set("POSTHASTE__SWEEP__INTERVAL", "3600")
}

/// What an application says; only what has no default is given.
fn insert(id: &str) -> String {
    format!("INSERT INTO webhook_events (id, event_type, data) VALUES ('{id}', 'order.created', '{{\"order\": 1.0}}')")
}

/// Which connection listens, as Postgres numbers them; only one does.
async fn listener(sql: &postgres::Connection) -> i32 {
    let query = "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database() \
                 AND (l.classid::bigint << 32 | l.objid::bigint) = 8101821197578301304";
    eventually(LONG, async || {
        let rows = sql.query(query, &[]).await.unwrap();
        assert!(rows.len() <= 1, "{} listen", rows.len());
        rows.first().map(|row| row.get(0))
    })
    .await
}

async fn another_listener(sql: &postgres::Connection, before: i32) {
    eventually(LONG, async || (listener(sql).await != before).then_some(())).await;
}

impl World {
    /// Commits this event by SQL, and waits until it went out.
    async fn goes_out(&self, sql: &postgres::Connection, id: &str) {
        sql.batch_execute(&insert(id)).await.unwrap();
        self.arrived(id).await;
    }
}
