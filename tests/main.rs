//! What Posthaste promises, tested from the outside: one binary, one module for each promise.

mod bytes_of_data;
mod conformance;
mod dead_letters;
mod enqueuing;
mod fan_out;
#[expect(dead_code, reason = "what the promises that are still to come need")]
mod harness;
mod harness_selftest;
mod house;
mod matching;
mod request;
mod same_event_once;
mod signing;
