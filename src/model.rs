//! Plain data: what flows along the road. No I/O, no async.

pub mod clock;
pub mod dead_letter;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod json;
pub mod operational;
pub mod outcome;
pub mod page;
pub mod pattern;
pub mod problem;
pub mod secret;
pub mod validate;
mod whole;
