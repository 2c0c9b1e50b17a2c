//! The queue as shards, so that it spreads over the masters of a Redis Cluster. Shard *i* is a whole queue whose names have the tag
//! `{i}` after the prefix, so that all that a script touches lies in one slot. Beside them:
//!
//! | key | what |
//! |---|---|
//! | `webhook_events` | door 1, as without shards; `{i}webhook_events` are more lists of the same kind |
//! | `{webhook_events}webhook_claims`, `{webhook_events}webhook_claim:<id>` | claims of its entries |
//! | `{webhook_events}webhook_shards` | hash: how many shards there are, and were at most |
//! | `webhook_dead_letters` | the one list of dead letters |
//! | `{0}webhook_pauses`, `{0}webhook_broken`, `{0}webhook_slowed` | all pauses |
//!
//! An event is on offer and reserved in the shard that follows from its key, a delivery is on the schedule of the one that follows from its id, and
//! a rate limit in that of its endpoint ([`places`]). A claim is, until it is settled, where its entries were; its id says where.
//!
//! Any of them may be away. What concerns it then is refused at once, or owed to it ([`owed`]), and the others work.

mod bells;
mod layout;
mod owed;
mod pacing;
mod places;
mod queue;
mod reserving;
mod restoring;
mod settling;
mod shard;
mod topology;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use self::bells::{Kind, Sources};
use self::places::Place;
use self::shard::Shard;
use self::topology::Topology;
use super::error::BACKEND;
use crate::backends::meter::Meter;
use crate::config::RedisSettings;
use crate::ports::{BackendError, Settlement};

pub(super) use self::layout::gather;

/// [`crate::ports::Queue`] over shards. They are reached as soon as it is made, and for as long as it lives.
pub(super) struct Sharded {
    topology: Arc<Topology>,
    shards: Vec<Arc<Shard>>,
    door: Arc<Shard>,
    /// Claims from before there were shards.
    unsharded: Arc<Shard>,
    letters: Arc<Shard>,
    entries: Arc<Sources>,
    accepted: Arc<Sources>,
    turn: AtomicUsize,
    /// Dead letters whose list is away, and the claims of a settlement with them: a claim must not go before its letters are there.
    held: Mutex<Settlement>,
    /// Shards that this process is to restore.
    restoring: Mutex<BTreeSet<usize>>,
    laid_out: OnceCell<()>,
    /// Somebody else gave the queue another number of shards.
    outdated: AtomicBool,
    _tasks: JoinSet<()>,
}

impl Sharded {
    /// # Errors
    /// [`BackendError::Refused`] when the URL is not one of Redis.
    pub(super) fn new(settings: &RedisSettings, meter: Meter) -> Result<Self, BackendError> {
        let topology = Arc::new(Topology::new(settings, meter)?);
        let mut tasks = JoinSet::new();
        let mut shard = |place| {
            let shard = Shard::new(place, Arc::clone(&topology));
            tasks.spawn(Arc::clone(&shard).keep());
            shard
        };
        let shards: Vec<_> = (0..settings.shards).map(|number| shard(Place::Shard(number))).collect();
        let (door, unsharded, letters) = (shard(Place::Door), shard(Place::Unsharded), shard(Place::Letters));
        let entries = Sources::new(Kind::Entries, [Arc::clone(&door)].into_iter().chain(shards.iter().cloned()));
        let accepted = Sources::new(Kind::Accepted, shards.iter().cloned());
        for sources in [&entries, &accepted] {
            for number in 0..sources.len() {
                tasks.spawn(Arc::clone(sources).ring(number));
            }
        }
        Ok(Self {
            topology,
            shards,
            door,
            unsharded,
            letters,
            entries,
            accepted,
            turn: AtomicUsize::new(0),
            held: Mutex::default(),
            restoring: Mutex::default(),
            laid_out: OnceCell::new(),
            outdated: AtomicBool::new(false),
            _tasks: tasks,
        })
    }

    fn at(&self, place: Place) -> Option<&Arc<Shard>> {
        match place {
            Place::Shard(number) => self.shards.get(number),
            Place::Door => Some(&self.door),
            Place::Unsharded => Some(&self.unsharded),
            Place::Letters => Some(&self.letters),
        }
    }

    /// All that work needs; what was there before there were shards only ends.
    fn parts(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().chain([&self.door, &self.letters])
    }

    fn all_are_away(&self) -> bool {
        self.parts().all(|shard| shard.is_away())
    }

    fn nobody_answers() -> BackendError {
        BackendError::Unavailable { backend: BACKEND, address: "all shards".into(), source: "none of them answers".into() }
    }

    /// What those answered that did; an error when one refused, or none answered.
    fn those_that_answered<T>(answers: impl IntoIterator<Item = Result<T, BackendError>>) -> Result<Vec<T>, BackendError> {
        let (mut answered, mut trouble) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(answer) => answered.push(answer),
                Err(error @ BackendError::Refused { .. }) => return Err(error),
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(error) if answered.is_empty() => Err(error),
            _ => Ok(answered),
        }
    }
}
