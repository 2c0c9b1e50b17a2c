//! What Posthaste promises, tested from the outside: one binary, one module for each promise.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod access;
mod answers;
mod api;
mod attempts;
mod breaker;
mod bulk;
mod bytes_of_data;
mod chaos;
mod checks;
mod command_line;
mod conform;
mod conformance;
mod crash;
mod crash_points;
mod dead_letters;
mod disabled;
mod enqueuing;
mod fan_out;
mod guard;
#[expect(dead_code, reason = "what the promises that are still to come need")]
mod harness;
mod harness_selftest;
mod hostile;
mod house;
mod lanes;
mod listen;
mod manifests;
mod matching;
mod metrics;
mod observing;
mod operational;
mod outbox;
mod poison;
mod rate_limit;
mod redis_keys;
mod request;
mod retention;
mod retries;
mod rotation;
mod same_event_once;
mod settings;
mod sharded;
mod signing;
mod starting;
mod stopping;
mod tables;
mod tail;
mod tls;
mod tour;
mod traces;
