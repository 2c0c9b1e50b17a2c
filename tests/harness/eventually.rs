//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// For what must happen, however slow the machine: passing tests never wait that long.
pub(crate) const LONG: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(10);

/// Asks again and again until `ask` gives something, and returns it.
///
/// # Panics
/// When `within` is over, with the place of the caller.
#[track_caller]
pub(crate) fn eventually<T>(within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let asked_at = std::panic::Location::caller();
    async move {
        let end = Instant::now() + within;
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            assert!(Instant::now() < end, "not within {within:?}: what {asked_at} waits for");
            tokio::time::sleep(STEP).await;
        }
    }
}
