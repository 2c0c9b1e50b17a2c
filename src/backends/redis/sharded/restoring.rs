//! Whether a shard lost its memory. Each has a mark of its own: FLUSHALL is for one master, and others may hold all of theirs.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::Sharded;
use super::shard::Shard;
use crate::ports::{BackendError, Memory, Queue as _};

impl Sharded {
    fn ours(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.restoring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lost when the caller is to restore any of them: what it puts back goes to all.
    pub(super) async fn memory_of_all(&self) -> Result<Memory, BackendError> {
        self.look_at_layout().await?;
        let asked = self.shards.iter().enumerate().filter(|(_, shard)| !shard.is_calming());
        let asked = asked.map(async |(number, shard)| (number, shard.call(|queue| async move { queue.memory().await }).await));
        let (mut lost, mut worst) = (BTreeSet::new(), Memory::Whole);
        for (number, memory) in join_all(asked).await {
            match memory {
                Ok(Memory::Whole) => {}
                Ok(Memory::Lost) => {
                    lost.insert(number);
                }
                Ok(Memory::Restoring) => worst = Memory::Restoring,
                Err(error @ BackendError::Refused { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        if self.all_are_away() {
            return Err(Self::nobody_answers());
        }
        let ours = !lost.is_empty();
        *self.ours() = lost;
        Ok(if ours { Memory::Lost } else { worst })
    }

    /// Those that are away are not asked: what belongs to them waits until they are back.
    pub(super) async fn all_are_whole(&self) -> Result<bool, BackendError> {
        self.be_laid_out().await?;
        let asked = self.shards.iter().map(|shard| shard.call(|queue| async move { queue.memory_is_whole().await }));
        Ok(Self::those_that_answered(join_all(asked).await)?.into_iter().all(|whole| whole))
    }

    /// False when any of them was lost once more, or is away: it is restored when it is back.
    pub(super) async fn go_on_restoring(&self) -> Result<bool, BackendError> {
        let asked = self.to_restore();
        let asked = asked.iter().map(|shard| shard.call(|queue| async move { queue.restoring().await }));
        Ok(join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().all(|still| still))
    }

    pub(super) async fn all_is_restored(&self) -> Result<(), BackendError> {
        let told = self.to_restore();
        let told = told.iter().map(|shard| shard.call(|queue| async move { queue.restored().await }));
        join_all(told).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.ours().clear();
        Ok(())
    }

    fn to_restore(&self) -> Vec<Arc<Shard>> {
        self.ours().iter().filter_map(|number| self.shards.get(*number)).cloned().collect()
    }
}
