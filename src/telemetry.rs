//! What operators see: metrics, logs and spans.

pub mod logging;
pub mod metrics;
pub mod traces;

mod bounded;
mod families;
