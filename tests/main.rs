//! What Posthaste promises, tested from the outside: one binary, one module for each promise.

mod conformance;
#[expect(dead_code, reason = "what the promises that are still to come need")]
mod harness;
mod harness_selftest;
mod house;
