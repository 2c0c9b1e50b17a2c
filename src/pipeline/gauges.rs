//! Shows how much waits. In every process: when all workers are down, the API's is the only one left to see it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use crate::ports::{Observe, Queue};

const LOOK: Duration = Duration::from_secs(1);

/// Shows the depth of the queue once a second, until `stop`.
pub async fn watch_depth(queue: Arc<dyn Queue>, observe: Arc<dyn Observe>, stop: CancellationToken) {
    let mut patience = Patience::new();
    loop {
        match queue.depth().await {
            Ok(depth) => {
                patience.reset();
                observe.depth(depth);
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => {
                if !patience.after(&error, "looking how much waits", &*observe, &stop).await {
                    return;
                }
            }
        }
    }
}
