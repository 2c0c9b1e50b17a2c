//! Plain data: what flows along the road. No I/O, no async.

pub mod clock;
pub mod dead_letter;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod event_view;
pub mod json;
pub mod keyed;
mod object;
pub mod operational;
pub mod outcome;
pub mod page;
pub mod pattern;
pub mod problem;
pub mod reach;
pub mod rotation;
pub mod run;
pub mod secret;
pub mod token;
pub mod trace;
pub mod validate;
mod whole;
