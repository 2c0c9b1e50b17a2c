//! Signs one request, sends it, and says what came of it.

mod classify;
mod client;
pub mod guard;
mod signature;
mod target;

pub use client::{Sender, SenderError};
pub use target::Target;
