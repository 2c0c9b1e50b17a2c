//! Servers of the test's own, one API that lives, and workers to be ill-treated.

use std::time::Duration;

use crate::harness::{Postgres, Process, Proxy, Redis, Setup, Stores, World};

const IN_FLIGHT: usize = 64;
const CLAIM_BATCH: usize = 64;
const COMMIT_BATCH: usize = 64;
/// Of the lease: what a dead worker had claimed is taken over soon, and a busy machine keeps a living one's.
pub(super) const LEASE: Duration = Duration::from_secs(2);

/// How many requests of one process may have been sent without being committed: one in each place for a request in flight, what the
/// recorder commits right now, and its channel, which holds two commits more. Those are what a kill can repeat. While a commit is
/// stuck, requests that wait to be reported give up their places, and up to [`CLAIMED`] may be: not at most of twenty kills.
pub(super) const UNCOMMITTED: usize = IN_FLIGHT + 3 * COMMIT_BATCH;

/// How many deliveries of one process may be claimed without being committed: the budget, and what its four loops claimed
/// while there still was room, of which the sweep takes two claims at once.
pub(super) const CLAIMED: usize = 4 * IN_FLIGHT + 5 * CLAIM_BATCH;

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) workers: Vec<Process>,
    pub(super) proxies: Option<Proxies>,
    pub(super) postgres: Postgres,
    pub(super) redis: Redis,
    /// Past the proxies, as applications see them.
    pub(super) direct: Stores,
}

/// A server.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Postgres,
    Redis,
}

pub(super) struct Proxies {
    postgres: Proxy,
    redis: Proxy,
}

/// Settings that make bounds small and recovery quick.
pub(super) fn tightened(setup: Setup) -> Setup {
    setup
        .set("POSTHASTE__REDIS__LEASE", &LEASE.as_secs().to_string())
        .set("POSTHASTE__SWEEP__INTERVAL", "0.3")
        .set("WEBHOOK_WORKERS", &IN_FLIGHT.to_string())
        .set("POSTHASTE__LIMITS__ENDPOINT_IN_FLIGHT", &IN_FLIGHT.to_string())
        .set("POSTHASTE__WORKER__CLAIM_BATCH", &CLAIM_BATCH.to_string())
        .set("POSTHASTE__WORKER__COMMIT_BATCH", &COMMIT_BATCH.to_string())
}

impl Stage {
    /// The servers and the API, no workers yet: those that start once the endpoints are registered know them at once.
    pub(super) async fn set() -> Self {
        Self::with(Redis::private().await, false).await
    }

    /// The same with a Redis that flushes what it answers to.
    pub(super) async fn set_durable() -> Self {
        Self::with(Redis::durable().await, false).await
    }

    /// The same with proxies between the program and its servers.
    pub(super) async fn set_behind_proxies() -> Self {
        Self::with(Redis::private().await, true).await
    }

    async fn with(redis: Redis, behind_proxies: bool) -> Self {
        let postgres = Postgres::private().await;
        let direct = Stores::on(&postgres, &redis).await;
        let (proxies, stores) = if behind_proxies {
            let proxies = Proxies { postgres: Proxy::to(postgres.port()).await, redis: Proxy::to(redis.port()).await };
            let stores = proxies.before(&direct);
            (Some(proxies), stores)
        } else {
            (None, direct.clone())
        };
        let world = tightened(World::production().over(stores)).role("api").await;
        Self { world, workers: Vec::new(), proxies, postgres, redis, direct }
    }

    pub(super) async fn start_workers(&mut self, count: usize) {
        for _ in 0..count {
            self.workers.push(self.world.another("worker").await);
        }
    }

    pub(super) async fn stop(&self, part: Part) {
        match part {
            Part::Postgres => self.postgres.stop().await,
            Part::Redis => self.redis.stop().await,
        }
    }

    pub(super) async fn kill(&self, part: Part) {
        match part {
            Part::Postgres => self.postgres.kill().await,
            Part::Redis => self.redis.kill().await,
        }
    }

    pub(super) async fn start(&self, part: Part) {
        match part {
            Part::Postgres => self.postgres.start().await,
            Part::Redis => self.redis.start().await,
        }
    }

    pub(super) fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.workers.iter_mut().chain([&mut self.world.app])
    }
}

impl Proxies {
    pub(super) fn of(&self, part: Part) -> &Proxy {
        match part {
            Part::Postgres => &self.postgres,
            Part::Redis => &self.redis,
        }
    }

    fn before(&self, stores: &Stores) -> Stores {
        let Stores::Production { postgres_url, redis_url, prefix } = stores else { unreachable!("production") };
        let (postgres_url, redis_url) = (self.postgres.instead_of(postgres_url), self.redis.instead_of(redis_url));
        Stores::Production { postgres_url, redis_url, prefix: prefix.clone() }
    }
}
