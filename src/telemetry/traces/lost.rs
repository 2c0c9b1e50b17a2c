//! Spans that nobody will see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Observe;

pub(super) struct Lost {
    observe: Arc<dyn Observe>,
    untold: AtomicU64,
}

impl Lost {
    pub(super) fn new(observe: Arc<dyn Observe>) -> Self {
        Self { observe, untold: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, spans: u64) {
        self.untold.fetch_add(spans, Ordering::Relaxed);
        self.observe.spans_lost(spans);
    }

    /// How many were lost since this was asked last.
    pub(super) fn take(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }
}
