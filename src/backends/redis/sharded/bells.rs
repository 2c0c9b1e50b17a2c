//! Waiting for what comes in at any of several shards. Each has a bell: a command that blocks on a connection of its own until there is
//! something, and takes nothing away. So nobody has to wait for all of them, and what comes while nobody claims is held by nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Sharded;
use super::shard::{Shard, State};
use crate::backends::redis::RedisQueue;
use crate::backends::redis::link::MAX_WAIT;
use crate::ports::{BackendError, Claim};

/// What a bell rings for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Entries,
    Accepted,
}

/// Shards, and whether something may be there to be claimed.
pub(super) struct Sources {
    kind: Kind,
    all: Vec<Source>,
    rang: Notify,
    turn: AtomicUsize,
}

struct Source {
    shard: Arc<Shard>,
    /// Whether a claim is worth its while.
    filled: AtomicBool,
    /// Somebody found it empty, so the bell is to watch it.
    watch: Notify,
}

impl Sources {
    pub(super) fn new(kind: Kind, shards: impl IntoIterator<Item = Arc<Shard>>) -> Arc<Self> {
        let source = |shard| Source { shard, filled: AtomicBool::new(true), watch: Notify::new() };
        Arc::new(Self { kind, all: shards.into_iter().map(source).collect(), rang: Notify::new(), turn: AtomicUsize::new(0) })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Claims from one shard after the other, where there may be something; otherwise waits up to `wait` for the first bell.
    pub(super) async fn claim<T, F>(&self, wait: Duration, claim: impl Fn(Arc<Shard>) -> F) -> Result<Option<Claim<T>>, BackendError>
    where
        F: Future<Output = Result<Option<Claim<T>>, BackendError>>,
    {
        let end = Instant::now() + wait;
        loop {
            // Before looking: what rings meanwhile is not missed.
            let rang = self.rang.notified();
            tokio::pin!(rang);
            rang.as_mut().enable();
            // Who does not want to wait has not the time for a bell either.
            if let Some(claim) = self.look(wait.is_zero(), &claim).await? {
                return Ok(Some(claim));
            }
            if tokio::time::timeout_at(end, rang).await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn look<T, F>(&self, everywhere: bool, claim: &impl Fn(Arc<Shard>) -> F) -> Result<Option<Claim<T>>, BackendError>
    where
        F: Future<Output = Result<Option<Claim<T>>, BackendError>>,
    {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut trouble = None;
        for number in 0..self.all.len() {
            let source = &self.all[(turn + number) % self.all.len()];
            if !everywhere && !source.filled.load(Ordering::Acquire) {
                continue;
            }
            match claim(Arc::clone(&source.shard)).await {
                Ok(Some(claimed)) => return Ok(Some(claimed)),
                Ok(None) => {}
                Err(error @ BackendError::Refused { .. }) => return Err(error),
                Err(error) => trouble = Some(error),
            }
            source.filled.store(false, Ordering::Release);
            source.watch.notify_one();
        }
        if self.all.iter().all(|source| source.shard.is_away()) { Err(trouble.unwrap_or_else(Sharded::nobody_answers)) } else { Ok(None) }
    }

    /// The bell of one of them; never ends.
    pub(super) async fn ring(self: Arc<Self>, number: usize) {
        let Some(source) = self.all.get(number) else { return };
        let mut state = source.shard.state();
        loop {
            source.watch.notified().await;
            loop {
                let now = state.borrow_and_update().clone();
                let State::There { queue, .. } = now else {
                    // It rings when it is back: nobody knows what came meanwhile.
                    let there = state.wait_for(|state| matches!(state, State::There { .. })).await;
                    if there.is_ok() {
                        break;
                    }
                    return;
                };
                tokio::select! {
                    found = queue.bell(self.kind) => match found {
                        Ok(true) => break,
                        Ok(false) => {}
                        Err(error @ BackendError::Unavailable { .. }) => source.shard.failed(&queue, &error),
                        // Whoever claims will be told, and say so.
                        Err(BackendError::Refused { .. }) => break,
                    },
                    _ = state.changed() => {}
                }
            }
            source.filled.store(true, Ordering::Release);
            self.rang.notify_waiters();
        }
    }
}

impl RedisQueue {
    /// Whether something came within [`MAX_WAIT`].
    async fn bell(&self, kind: Kind) -> Result<bool, BackendError> {
        match kind {
            // From the list's end to the same end: it stays where it is.
            Kind::Entries => {
                let mut command = redis::cmd("BLMOVE");
                command.arg(&self.keys.events).arg(&self.keys.events).arg("RIGHT").arg("RIGHT").arg(MAX_WAIT.as_secs_f64());
                let entry: Option<Bytes> = command.query_async(&mut self.entries.connection()).await.map_err(self.entries.failed())?;
                Ok(entry.is_some())
            }
            // There is no such command for sorted sets. What is lost between these two is in the records.
            Kind::Accepted => {
                let mut command = redis::cmd("BZPOPMIN");
                command.arg(&self.keys.accepted).arg(MAX_WAIT.as_secs_f64());
                let popped: Option<(String, Bytes, Bytes)> =
                    command.query_async(&mut self.accepted.connection()).await.map_err(self.accepted.failed())?;
                let Some((_, member, score)) = popped else { return Ok(false) };
                let mut command = redis::cmd("ZADD");
                command.arg(&self.keys.accepted).arg("NX").arg(&score[..]).arg(&member[..]);
                command.query_async::<()>(&mut self.link.connection()).await.map_err(self.link.failed())?;
                Ok(true)
            }
        }
    }
}
