//! The only user of the `backoff` crate: waiting times that double, with jitter.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use tokio_util::sync::CancellationToken;

use crate::ports::{BackendError, Observe};

/// How long to wait after the `failures`-th failure: `delay` × 2^(failures − 1), made longer or shorter
/// by up to the part `jitter`, and never more than `max`.
pub(super) fn retry_interval(delay: Duration, failures: u32, jitter: f64, max: Duration) -> Duration {
    let doublings = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = (delay.as_secs_f64() * 2_f64.powi(doublings)).min(max.as_secs_f64());
    jittered(Duration::try_from_secs_f64(seconds).unwrap_or(max), jitter).min(max)
}

/// `interval`, made longer or shorter by up to the part `jitter`.
pub(super) fn jittered(interval: Duration, jitter: f64) -> Duration {
    let mut waits = ExponentialBackoff {
        current_interval: interval,
        initial_interval: interval,
        randomization_factor: jitter,
        max_interval: interval,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    waits.next_backoff().unwrap_or(interval)
}

/// Waits between the tries of one loop: from 50 ms to 5 s, for ever, and from the start again after a success.
pub(super) struct Patience {
    waits: ExponentialBackoff,
    failing: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        let waits = ExponentialBackoff {
            current_interval: Duration::from_millis(50),
            initial_interval: Duration::from_millis(50),
            max_interval: Duration::from_secs(5),
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { waits, failing: false }
    }

    /// Says that it works again.
    pub(super) fn reset(&mut self) {
        if self.failing {
            tracing::info!("the trouble is over");
            self.failing = false;
            self.waits.reset();
        }
    }

    /// Reports the trouble, the first time as a warning, and waits, but not beyond `stop`. Answers whether to go on.
    pub(super) async fn after(&mut self, error: &BackendError, what: &str, observe: &dyn Observe, stop: &CancellationToken) -> bool {
        let wait = self.waits.next_backoff().unwrap_or(Duration::from_secs(5));
        let (BackendError::Unavailable { backend, .. } | BackendError::Refused { backend, .. }) = error;
        observe.trouble(backend);
        if self.failing {
            tracing::debug!(%error, what, wait_s = wait.as_secs_f64(), "still in trouble");
        } else {
            tracing::warn!(error = %error, what, "cannot go on: trying again until it works");
            self.failing = true;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = stop.cancelled() => false,
        }
    }
}

/// Calls until it works, for as long as that takes.
pub async fn persist<T, F>(what: &str, observe: &dyn Observe, call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, BackendError>>,
{
    match until_it_works(what, observe, &CancellationToken::new(), call).await {
        Some(value) => value,
        // Nobody else has the token.
        None => std::future::pending().await,
    }
}

/// Calls until it works; `None` when `stop` came first.
pub(super) async fn until_it_works<T, F>(
    what: &str,
    observe: &dyn Observe,
    stop: &CancellationToken,
    mut call: impl FnMut() -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, BackendError>>,
{
    let mut patience = Patience::new();
    loop {
        match call().await {
            Ok(value) => {
                patience.reset();
                return Some(value);
            }
            Err(error) => {
                if !patience.after(&error, what, observe, stop).await {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_the_most() {
        let (delay, max) = (Duration::from_secs(60), Duration::from_secs(21_600));
        for (failures, wanted) in [(1, 60), (2, 120), (3, 240), (9, 15_360), (10, 21_600), (1000, 21_600)] {
            assert_eq!(retry_interval(delay, failures, 0.0, max).as_secs(), wanted, "{failures}");
        }
        assert_eq!(retry_interval(Duration::ZERO, 5, 0.1, max), Duration::ZERO);
    }

    #[test]
    fn jitter_spreads_to_both_sides_and_no_further() {
        let intervals: Vec<_> =
            (0..1000).map(|_| retry_interval(Duration::from_secs(100), 1, 0.1, Duration::from_secs(1000)).as_secs_f64()).collect();
        assert!(intervals.iter().all(|seconds| (90.0..=110.0).contains(seconds)));
        assert!(intervals.iter().any(|seconds| *seconds < 95.0) && intervals.iter().any(|seconds| *seconds > 105.0));
    }
}
