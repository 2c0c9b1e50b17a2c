//! Tells whoever watches how long calls to a server take.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::ports::Observe;

/// Whom to tell; by default nobody.
#[derive(Clone, Default)]
pub(super) struct Meter(Option<Arc<dyn Observe>>);

impl Meter {
    pub(super) fn new(observe: Arc<dyn Observe>) -> Self {
        Self(Some(observe))
    }

    /// Does the work. `right`: an error of that kind is an answer like others.
    pub(super) async fn time<T, E>(
        &self,
        backend: &'static str,
        call: &'static str,
        right: impl FnOnce(&E) -> bool,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started = Instant::now();
        let done = work.await;
        if let Some(observe) = &self.0 {
            observe.called(backend, call, started.elapsed(), done.as_ref().err().is_none_or(right));
        }
        done
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Meter").field(&self.0.is_some()).finish()
    }
}
