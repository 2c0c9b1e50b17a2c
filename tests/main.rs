//! What Posthaste promises, tested from the outside: one binary, one module for each promise.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod answers;
mod api;
mod attempts;
mod command_line;
mod conformance;
mod crash;
#[expect(dead_code, unused_imports, reason = "what the promises that are still to come need")]
mod harness;
mod harness_selftest;
mod house;
mod metrics;
mod redis_keys;
mod retries;
mod settings;
mod starting;
mod stopping;
mod tables;
