//! One shard: whether it is there, and what it is owed while it is not. A task of its own brings it back, so that whoever calls meanwhile
//! is told at once that it is away, and waits for no timeout.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::owed::Owed;
use super::places::Place;
use super::topology::Topology;
use crate::backends::redis::RedisQueue;
use crate::backends::redis::error::BACKEND;
use crate::ports::BackendError;

/// Between two tries to reach it: at first, and at most.
const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(2);
/// After it was away nothing is taken over for so long: other processes that hold something in it renew that as soon as they notice that it
/// is back. Longer than any of them waits between two tries.
const CALM: Duration = Duration::from_secs(10);

pub(super) struct Shard {
    pub(super) place: Place,
    topology: Arc<Topology>,
    state: watch::Sender<State>,
    /// Whenever something is in here, the state is not [`State::There`], or the task that brings it back would not look.
    owed: Mutex<Owed>,
}

#[derive(Clone)]
pub(super) enum State {
    /// Nobody has tried to reach it yet.
    Starting,
    There {
        queue: Arc<RedisQueue>,
        /// When it came back, if it was away before.
        back_at: Option<Instant>,
    },
    Away {
        reason: Arc<str>,
    },
}

impl Shard {
    pub(super) fn new(place: Place, topology: Arc<Topology>) -> Arc<Self> {
        Arc::new(Self { place, topology, state: watch::Sender::new(State::Starting), owed: Mutex::default() })
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn is_away(&self) -> bool {
        matches!(&*self.state.borrow(), State::Away { .. })
    }

    /// Whether nothing is to be taken over from it now, since its holders may live.
    pub(super) fn is_calming(&self) -> bool {
        match &*self.state.borrow() {
            State::There { back_at, .. } => back_at.is_some_and(|back_at| back_at.elapsed() < CALM),
            State::Starting | State::Away { .. } => true,
        }
    }

    /// Calls it. One that cannot be reached is away from then on.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Arc<RedisQueue>) -> F + Send) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>> + Send,
    {
        let queue = self.queue().await?;
        let answer = call(Arc::clone(&queue)).await;
        if let Err(error) = &answer {
            self.failed(&queue, error);
        }
        answer
    }

    async fn queue(&self) -> Result<Arc<RedisQueue>, BackendError> {
        let mut state = self.state.subscribe();
        // The sender is our own, so this ends with a state.
        let state = state.wait_for(|state| !matches!(state, State::Starting)).await;
        match state.as_deref() {
            Ok(State::There { queue, .. }) => Ok(Arc::clone(queue)),
            Ok(State::Away { reason }) => Err(self.away(reason)),
            Ok(State::Starting) | Err(_) => Err(self.away("it was not reached yet")),
        }
    }

    fn away(&self, reason: &str) -> BackendError {
        BackendError::Unavailable { backend: BACKEND, address: format!("{:?}", self.place), source: reason.into() }
    }

    /// A call to `queue` failed. Nothing changes where another one took its place meanwhile, or where it answered.
    pub(super) fn failed(&self, queue: &Arc<RedisQueue>, error: &BackendError) {
        let BackendError::Unavailable { .. } = error else { return };
        self.state.send_if_modified(|state| {
            let ours = matches!(state, State::There { queue: current, .. } if Arc::ptr_eq(current, queue));
            if ours {
                tracing::warn!(place = ?self.place, %error, "a shard of the queue is away: the others go on");
                *state = State::Away { reason: error.to_string().into() };
            }
            ours
        });
    }

    /// Keeps what it could not be told now. It counts as away until it was told.
    pub(super) fn owe(&self, error: &BackendError, add: impl FnOnce(&mut Owed)) {
        let mut owed = self.owed();
        add(&mut owed);
        self.state.send_if_modified(|state| {
            let there = matches!(state, State::There { .. });
            if there {
                *state = State::Away { reason: error.to_string().into() };
            }
            there
        });
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reaches it, and reaches it again whenever it was lost; never ends.
    pub(super) async fn keep(self: Arc<Self>) {
        let (mut was_away, mut wait) = (false, FIRST);
        loop {
            match self.reach(was_away).await {
                Ok(()) => {
                    if was_away {
                        tracing::info!(place = ?self.place, "a shard of the queue is back");
                    }
                    wait = FIRST;
                    let mut state = self.state.subscribe();
                    if state.wait_for(|state| matches!(state, State::Away { .. })).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    self.state.send_if_modified(|state| {
                        if matches!(state, State::Starting) {
                            tracing::warn!(place = ?self.place, %error, "a shard of the queue cannot be reached: trying again until it works");
                        }
                        *state = State::Away { reason: error.to_string().into() };
                        true
                    });
                }
            }
            was_away = true;
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(MOST);
        }
    }

    async fn reach(&self, was_away: bool) -> Result<(), BackendError> {
        let queue = Arc::new(self.topology.part(self.place).await?);
        // It answers for its slot, or says that somebody else does: a ping would be answered by anybody.
        queue.answers(self.place.key(&self.place.keys(&self.topology.prefix))).await?;
        loop {
            let due = {
                let mut owed = self.owed();
                if owed.is_empty() {
                    let back_at = was_away.then(Instant::now);
                    self.state.send_replace(State::There { queue, back_at });
                    return Ok(());
                }
                std::mem::take(&mut *owed)
            };
            if let Err(error) = due.pay(&queue).await {
                let mut owed = self.owed();
                let later = std::mem::replace(&mut *owed, due);
                owed.merge(later);
                return Err(error);
            }
        }
    }
}
