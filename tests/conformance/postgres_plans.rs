//! What is looked up by its key is found by its key, whatever the tables were like when PostgreSQL planned that: a fresh database grows by tens
//! of thousands of rows before it is analyzed for the first time, and one that was analyzed while all was well holds hundreds of thousands
//! that wait or failed before it is analyzed again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use posthaste::model::delivery::Status;
use posthaste::model::event::Event;
use posthaste::model::run::{Run, RunKind};
use posthaste::ports::{Batch, Known, Pace, Routed, Started, Step};
use uuid::Uuid;

use super::backends::{self, Production};
use super::fixtures::{Stand, at, event, state};
use crate::harness::postgres::Connection;
use crate::harness::{LONG, eventually, postgres};

/// PostgreSQL keeps a plan for all parameters from the sixth time on.
const ROUNDS: u32 = 8;
/// So many at once: planned for them, a small table is read whole.
const AT_ONCE: u32 = 20;
/// More than all looks at keys together.
const MORE: i64 = 40_000;
const HOLDER: Uuid = Uuid::from_u128(1);

async fn end(stand: &Stand, events: &[Arc<Event>], status: Status, attempts: u32) {
    let step = |event: &Arc<Event>| Step { after_attempts: attempts - 1, state: state(event, 1, status, attempts) };
    let steps = events.iter().map(step).collect();
    stand.records.record(&Batch { steps, ..Batch::default() }).await.expect("recorded");
}

/// What failed is put back: one half by ids, one half by a run.
async fn put_back(stand: &Stand, events: &[Arc<Event>]) {
    let half: Vec<_> = events.iter().take(events.len() / 2).map(|event| state(event, 1, Status::Failed, 2).id).collect();
    assert_eq!(stand.records.put_back(&half, at(50)).await.expect("put back").len(), half.len());
    let run = Run { endpoint_id: Some(1), ..Run::new(RunKind::RetryFailed) };
    assert_eq!(stand.records.start_run(&run).await.expect("begun"), Started::New);
    assert_eq!(stand.records.claim_run(HOLDER, LONG).await.expect("claimed").map(|run| run.id), Some(run.id));
    let pace = Pace { max: events.len(), rest_after_each: Duration::ZERO, due: at(50), mark: None };
    let page = stand.records.retry_page(&run, HOLDER, pace).await.expect("put back").expect("it is ours");
    assert_eq!((page.back.len(), page.last), (events.len() - half.len(), true));
}

/// Events are accepted, routed, fail at the second attempt, are put back, delivered, and looked up in between.
async fn round(stand: &Stand, number: u32) {
    let events: Vec<_> = (number * AT_ONCE..).take(AT_ONCE as usize).map(|number| event(&format!("e{number}"), number)).collect();
    let keys: Vec<_> = events.iter().map(|event| event.key.clone()).collect();
    let records = &stand.records;
    records.accept(&events).await.expect("accepted");
    assert_eq!(records.known(&keys).await.expect("known"), vec![Known::Accepted; keys.len()]);
    assert_eq!(records.load_accepted(&keys, 10_000).await.expect("loaded").len(), keys.len());
    let states: Vec<_> = events.iter().map(|event| state(event, 1, Status::Retrying, 1)).collect();
    let ids: Vec<_> = states.iter().map(|state| state.id).collect();
    let routed = |(event, state)| Routed { event, accepted: true, deliveries: vec![state] };
    let routed = events.iter().cloned().zip(states).map(routed).collect();
    records.record(&Batch { routed, ..Batch::default() }).await.expect("recorded");
    assert_eq!(records.load_waiting(&ids).await.expect("loaded").len(), ids.len());
    end(stand, &events, Status::Failed, 2).await;
    put_back(stand, &events).await;
    end(stand, &events, Status::Delivered, 3).await;
    assert_eq!(records.load_waiting(&ids).await.expect("loaded").len(), 0);
}

/// As many more events and deliveries of every kind, of another endpoint, made by nobody's look.
async fn grow(sql: &Connection) {
    let event = |id: &str, routed: &str| {
        format!(
            "INSERT INTO webhook_events (tenant, id, event_type, data, source, version, \"timestamp\", created_at, routed_at) \
             SELECT 'default', '{id}' || n, 'a', '1', 's', '1', 1, now(), {routed} FROM generate_series(1, {MORE}) n"
        )
    };
    let delivery = |status: &str| {
        format!(
            "INSERT INTO webhook_deliveries (id, endpoint_id, created_at, attempt_count, status, tenant, event_id, event_type) \
             SELECT gen_random_uuid(), 2, now(), 1, '{status}', 'default', 'more' || n, 'a' FROM generate_series(1, {MORE}) n"
        )
    };
    // As an application's own inserts, each of them would be told to the workers.
    sql.batch_execute("SET posthaste.offers TO 'itself'").await.expect("anybody may");
    for rows in [event("more", "now()"), event("unrouted", "NULL"), delivery("delivered"), delivery("retrying"), delivery("failed")] {
        sql.batch_execute(&rows).await.expect("rows");
    }
}

/// How many rows were looked at, of each table as a whole and through each index, when tables that were small when they were planned for, or analyzed last, have grown.
async fn rows_looked_at(analyzed: bool) -> BTreeMap<String, i64> {
    let Production { stand, postgres, postgres_url, .. } = backends::production().await;
    let sql = postgres::connect(&postgres_url).await.expect("PostgreSQL runs");
    // Analyzing would have it planned anew.
    let by_hand = |table: &str| format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
    sql.batch_execute(&format!("{}; {}", by_hand("webhook_events"), by_hand("webhook_deliveries"))).await.expect("the tests' user may");
    for number in 0..ROUNDS {
        round(&stand, number).await;
    }
    if analyzed {
        sql.batch_execute("ANALYZE").await.expect("the tests' user may");
    }
    grow(&sql).await;
    for number in ROUNDS..2 * ROUNDS {
        round(&stand, number).await;
    }
    // A server process tells what it has read at its end.
    drop((stand, postgres));
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    eventually(LONG, async || (sql.query_one(others, &[]).await.expect("a count").get::<_, i64>(0) == 0).then_some(())).await;
    let read = "SELECT relname::text, seq_tup_read FROM pg_stat_user_tables WHERE relname IN ('webhook_events', 'webhook_deliveries') \
                UNION ALL SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes WHERE relname IN ('webhook_events', 'webhook_deliveries')";
    sql.query(read, &[]).await.expect("counts").iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn assert_few(read: &BTreeMap<String, i64>) {
    assert!((1..MORE).contains(&read.values().sum()), "rows that were looked at, by table and index: {read:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_small_when_it_was_planned_for_is_not_read_whole() {
    assert_few(&rows_looked_at(false).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_failed_is_not_read_whole_where_hardly_any_did_when_the_table_was_analyzed() {
    assert_few(&rows_looked_at(true).await);
}
