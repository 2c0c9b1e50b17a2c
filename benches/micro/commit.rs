//! The recorder's commit in the ordinary case: events with one delivery each, which its first attempt delivered.

use std::cell::LazyCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use posthaste::backends::postgres::Postgres;
use posthaste::backends::sqlite::Sqlite;
use posthaste::config::PostgresSettings;
use posthaste::model::clock;
use posthaste::model::delivery::{DeliveryId, DeliveryState, Status};
use posthaste::model::outcome::{Answer, Attempt, Outcome};
use posthaste::model::secret::Secret;
use posthaste::ports::{Batch, Known, Records, Routed};
use tokio::runtime::Runtime;

use crate::harness::{postgres, watchdog};
use crate::laps::{laps, runtime};
use crate::sample;

/// An idle worker's commit, a busy one's, and that of one whose records are slow.
const SIZES: [u64; 3] = [1, 100, 300];
const EVENT_BYTES: usize = 500;
const ENDPOINTS: i64 = 10;

/// Empty records that flush to disk, with their server where they have one.
struct Stage {
    records: Arc<dyn Records>,
    // After the records, which are connected to it.
    _server: Option<postgres::Postgres>,
    runtime: Runtime,
    made: AtomicU64,
}

impl Stage {
    fn postgres() -> Self {
        let runtime = runtime();
        let (server, records) = runtime.block_on(async {
            let server = postgres::Postgres::private().await;
            let (url, deadline) = (Secret::new(server.database("template1").await), Duration::from_secs(10));
            let settings = PostgresSettings { url, connections: 4, connect_timeout: deadline, statement_timeout: deadline };
            let records = Postgres::new(&settings).expect("a URL");
            records.migrate().await.expect("migrated");
            (server, records)
        });
        Self { records: Arc::new(records), _server: Some(server), runtime, made: AtomicU64::new(0) }
    }

    fn sqlite() -> Self {
        let file = watchdog::directory("sqlite").join("posthaste.sqlite");
        let records = Sqlite::open(&file, Duration::from_secs(300)).expect("a new file");
        Self { records: Arc::new(records), _server: None, runtime: runtime(), made: AtomicU64::new(0) }
    }

    /// So many events that nobody has recorded.
    fn batch(&self, size: u64) -> Batch {
        let first = self.made.fetch_add(size, Ordering::Relaxed);
        Batch { routed: (first..first + size).map(delivered).collect(), ..Batch::default() }
    }

    async fn record(&self, batch: &Batch) {
        self.records.record(batch).await.expect("recorded");
    }

    async fn assert_recorded(&self) {
        let last = self.made.load(Ordering::Relaxed) - 1;
        let keys = [delivered(last).event.key.clone()];
        assert_eq!(self.records.known(&keys).await.expect("looked up"), [Known::Routed]);
    }
}

fn delivered(number: u64) -> Routed {
    let event = sample::event(&format!("evt_{number}"), EVENT_BYTES);
    let outcome = Outcome::Answered(Answer { status: 204, body: String::new(), retry_after: None });
    let attempt = Attempt { started_at: clock::now(), took: Duration::from_millis(1), outcome };
    let endpoint_id = 1 + i64::try_from(number).expect("not that many") % ENDPOINTS;
    let state = DeliveryState {
        id: DeliveryId::of(event.accepted_at, &event.key, endpoint_id),
        endpoint_id,
        status: Status::Delivered,
        attempt_count: 1,
        last: Some(attempt.into_result()),
        reason: None,
        next_retry_at: None,
    };
    Routed { event, accepted: false, deliveries: vec![state] }
}

pub(crate) fn measure(criterion: &mut Criterion) {
    for (name, stage) in [("commit to PostgreSQL", Stage::postgres as fn() -> Stage), ("commit to SQLite", Stage::sqlite)] {
        let stage = LazyCell::new(stage);
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            group.throughput(Throughput::Elements(size));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                let stage = &*stage;
                let work = async |batch: &Batch| stage.record(batch).await;
                bencher.iter_custom(|count| stage.runtime.block_on(laps(count, async || stage.batch(size), &work)));
                stage.runtime.block_on(stage.assert_recorded());
            });
        }
        group.finish();
    }
}
