//! How many deliveries this process holds in memory, from matching to the commit. Claiming waits for room here, and for nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

pub(super) struct Budget {
    held: AtomicUsize,
    limit: usize,
    freed: Notify,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { held: AtomicUsize::new(0), limit, freed: Notify::new() }
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Waits until at least an eighth of the limit is free, and answers how much is: a claim for two or three would cost as much
    /// as one for hundreds.
    pub(super) async fn room(&self) -> usize {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before looking, so that what is freed in between wakes us.
            freed.as_mut().enable();
            let free = self.limit.saturating_sub(self.held.load(Ordering::Acquire));
            if free >= (self.limit / 8).max(1) {
                return free;
            }
            freed.await;
        }
    }

    /// One event may have more endpoints than there is room: the limit is where claiming stops, not a wall.
    pub(super) fn take(&self, deliveries: usize) {
        self.held.fetch_add(deliveries, Ordering::AcqRel);
    }

    pub(super) fn give_back(&self, deliveries: usize) {
        self.held.fetch_sub(deliveries, Ordering::AcqRel);
        self.freed.notify_waiters();
    }
}
