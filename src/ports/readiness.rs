//! What `/ready` asks.

use async_trait::async_trait;

/// Whether one part can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHealth {
    /// `postgres`, `redis`, `sqlite`.
    pub part: &'static str,
    /// What is wrong with it; `None` when it works.
    pub trouble: Option<String>,
}

/// What `/ready` asks.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Every part that the work needs.
    async fn check(&self) -> Vec<PartHealth>;
}
