//! Fills the database: COPY in the order of time, and the indexes at the end.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::SinkExt as _;

use super::sample::{ENDPOINTS_OF_EACH, Maker, RARE_ENDPOINT, RARE_TENANT, TENANTS, tenant};
use crate::harness::postgres::Connection;

/// Deliveries of one transaction.
const CHUNK: u32 = 100_000;

const EVENTS: &str = "COPY webhook_events (\"timestamp\", created_at, routed_at, tenant, id, event_type, source, version, data) FROM STDIN";
const DELIVERIES: &str = "COPY webhook_deliveries (id, endpoint_id, created_at, next_retry_at, last_attempt_at, response_time, \
                          attempt_count, response_status, status, tenant, event_id, event_type, response_body, error_message) FROM STDIN";
const PAST_ATTEMPTS: &str = "COPY webhook_past_attempts (delivery_id, at, response_time, attempt_number, response_status, \
                             response_body, error_message) FROM STDIN";
/// All but those that hold a key.
const INDEXES: &str = "SELECT c.relname::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                       WHERE i.indrelid IN ('webhook_deliveries'::regclass, 'webhook_events'::regclass) AND NOT i.indisprimary";

/// Into empty tables; `say` hears how far it is.
pub(crate) async fn fill(sql: &Connection, deliveries: u32, say: fn(&str)) {
    endpoints(sql).await;
    // Totals as retention leaves those of hours that are over: put together, in a part of their own. A worker would spend its first minutes on that.
    sql.batch_execute("SET posthaste.part TO '-1'").await.expect("anybody may");
    let mut again = String::new();
    for row in sql.query(INDEXES, &[]).await.expect("PostgreSQL runs") {
        sql.batch_execute(&format!("DROP INDEX {}", row.get::<_, String>(0))).await.expect("our own index");
        write!(again, "{};", row.get::<_, String>(1)).expect("a String");
    }
    let mut maker = Maker::new(deliveries);
    let mut loaded = 0;
    while loaded < deliveries {
        let rows = maker.rows(CHUNK.min(deliveries - loaded));
        loaded += rows.count;
        copy(sql, EVENTS, rows.events).await;
        copy(sql, DELIVERIES, rows.deliveries).await;
        copy(sql, PAST_ATTEMPTS, rows.past_attempts).await;
        if loaded % (10 * CHUNK) < CHUNK {
            say(&format!("  {loaded} of {deliveries} deliveries\n"));
        }
    }
    sql.batch_execute("SET maintenance_work_mem TO '512MB'").await.expect("anybody may");
    sql.batch_execute(&again).await.expect("as they were");
    // As autovacuum leaves it.
    sql.batch_execute("VACUUM ANALYZE").await.expect("the tests' user may");
    sql.batch_execute("CHECKPOINT").await.expect("the tests' user may");
}

/// Those that the deliveries belong to.
pub(crate) async fn endpoints(sql: &Connection) {
    let mut rows = String::new();
    for number in 0..TENANTS {
        for endpoint in 0..ENDPOINTS_OF_EACH {
            let id = number * ENDPOINTS_OF_EACH + endpoint + 1;
            writeln!(rows, "{id}\t{}\tendpoint {id}\thttps://example.com/{id}\t{{*}}", tenant(number)).expect("a String");
        }
    }
    writeln!(rows, "{RARE_ENDPOINT}\t{RARE_TENANT}\trare\thttps://example.com/rare\t{{*}}").expect("a String");
    copy(sql, "COPY webhook_endpoints (id, tenant, name, url, event_types) FROM STDIN", rows).await;
    // COPY leaves it alone, and the next endpoint would get an id that is taken.
    let next = "SELECT setval(pg_get_serial_sequence('webhook_endpoints', 'id'), max(id)) FROM webhook_endpoints";
    sql.query_one(next, &[]).await.expect("the tests' user may");
}

async fn copy(sql: &Connection, statement: &str, rows: String) {
    let sink = sql.copy_in(statement).await.expect("a table of ours");
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(rows)).await.expect("PostgreSQL runs");
    sink.finish().await.expect("rows as the table has them");
}

/// What the tables and indexes take on disk.
pub(crate) async fn sizes(sql: &Connection) -> String {
    let statement = "SELECT c.relname::text, c.relkind = 'i', pg_relation_size(c.oid) / 1048576 FROM pg_class c \
                     WHERE c.relname LIKE 'webhook%' AND c.relkind IN ('r', 'i') AND pg_relation_size(c.oid) > 1048576 ORDER BY 3 DESC";
    let mut text = String::from("MiB on disk\n");
    for row in sql.query(statement, &[]).await.expect("PostgreSQL runs") {
        let kind = if row.get::<_, bool>(1) { "index" } else { "table" };
        writeln!(text, "  {kind} {:45}{:8}", row.get::<_, String>(0), row.get::<_, i64>(2)).expect("a String");
    }
    text
}
