//! Signs one request, sends it, and says what came of it.

mod classify;
mod client;
mod connect;
pub mod guard;
mod line;
mod reach;
mod resolve;
mod signature;
mod target;

pub use client::{Made, Sender, SenderError};
pub use signature::SigningKeys;
pub use target::Target;
