//! The three calls to Redis that a claim of door 1 costs: claim its entries, reserve its events, settle it.

use std::cell::LazyCell;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use posthaste::backends::redis::RedisQueue;
use posthaste::config::RedisSettings;
use posthaste::model::event::EventKey;
use posthaste::model::secret::Secret;
use posthaste::ports::{Claim, Queue, Reserved, Settlement};
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::harness::redis::Redis;
use crate::laps::{laps, runtime};
use crate::sample;

/// Entries of one claim, as `worker.claim_batch` has it.
const BATCH: usize = 256;
const ENTRY_BYTES: usize = 500;

/// A Redis with an append-only file, and the queue in it.
struct Stage {
    _server: Redis,
    redis: MultiplexedConnection,
    queue: RedisQueue,
    entries: Vec<String>,
    keys: Vec<EventKey>,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        let runtime = runtime();
        let (server, redis, queue) = runtime.block_on(async {
            let server = Redis::private().await;
            let url = Secret::new(server.url());
            let settings = RedisSettings { url, prefix: String::new(), lease: Duration::from_secs(300), shards: 1 };
            let queue = RedisQueue::new(&settings).expect("a URL");
            let redis = server.connect().await;
            (server, redis, queue)
        });
        let ids: Vec<_> = (0..BATCH).map(|number| format!("evt_{number}")).collect();
        let entries = ids.iter().map(|id| sample::entry(id, ENTRY_BYTES)).collect();
        let keys = ids.iter().map(|id| EventKey { tenant: "default".into(), id: id.as_str().into() }).collect();
        Self { _server: server, redis, queue, entries, keys, runtime }
    }

    /// One claim's worth, and nothing else.
    async fn pushed(&self) {
        let mut pipe = redis::pipe();
        pipe.cmd("FLUSHALL").ignore().lpush("webhook_events", &self.entries).ignore();
        pipe.query_async::<()>(&mut self.redis.clone()).await.expect("Redis runs");
    }

    async fn claim(&self) -> Claim<Bytes> {
        let claim = self.queue.claim_entries(BATCH, Duration::ZERO).await.expect("Redis runs").expect("entries");
        assert_eq!(claim.items.len(), BATCH);
        claim
    }

    async fn claimed(&self) -> Claim<Bytes> {
        self.pushed().await;
        self.claim().await
    }

    async fn reserve(&self, claim: &Claim<Bytes>) {
        let reserved = self.queue.reserve(&claim.id, &self.keys).await.expect("Redis runs");
        assert!(reserved.len() == BATCH && reserved.iter().all(|one| *one == Reserved::Ours));
    }

    /// What follows the commit of a claim whose events were all delivered.
    async fn reserved(&self) -> Settlement {
        let claim = self.claimed().await;
        self.reserve(&claim).await;
        Settlement { claims: vec![claim.id], released: self.keys.clone(), ..Settlement::default() }
    }

    async fn settle(&self, settlement: &Settlement) {
        self.queue.settle(settlement).await.expect("Redis runs");
    }

    async fn assert_nothing_is_left(&self) {
        let left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut self.redis.clone()).await.expect("Redis runs");
        assert!(left.is_empty(), "{left:?}");
    }
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let stage = LazyCell::new(Stage::new);
    let mut group = criterion.benchmark_group("claim");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("claim 256 entries", |bencher| {
        let stage = &*stage;
        let work = async |_: &()| drop(stage.claim().await);
        bencher.iter_custom(|count| stage.runtime.block_on(laps(count, async || stage.pushed().await, &work)));
    });
    group.bench_function("reserve 256 events", |bencher| {
        let stage = &*stage;
        let work = async |claim: &Claim<Bytes>| stage.reserve(claim).await;
        bencher.iter_custom(|count| stage.runtime.block_on(laps(count, async || stage.claimed().await, &work)));
    });
    group.bench_function("settle 256 events", |bencher| {
        let stage = &*stage;
        let work = async |settlement: &Settlement| stage.settle(settlement).await;
        bencher.iter_custom(|count| stage.runtime.block_on(laps(count, async || stage.reserved().await, &work)));
        stage.runtime.block_on(stage.assert_nothing_is_left());
    });
    group.finish();
}
