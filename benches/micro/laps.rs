//! Times what needs a runtime, and something made ready for each time.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// So many times: what `ready` makes, `work` works with, and that alone is timed.
pub(crate) async fn laps<T>(count: u64, ready: impl AsyncFn() -> T, work: impl AsyncFn(&T)) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..count {
        let made = ready().await;
        let started = Instant::now();
        work(&made).await;
        total += started.elapsed();
    }
    total
}
