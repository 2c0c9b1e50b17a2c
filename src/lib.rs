//! Posthaste: the outbound webhook delivery worker.
//!
//! `ARCHITECTURE.md` describes the road an event takes through these rooms, and which room may use which.

pub mod api;
pub mod app;
pub mod backends;
pub mod cli;
pub mod config;
pub mod demo;
pub mod faults;
pub mod model;
pub mod pipeline;
pub mod ports;
pub mod sender;
pub mod telemetry;
