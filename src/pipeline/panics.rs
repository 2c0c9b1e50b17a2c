//! A panic over one event or delivery is our trouble with that one alone: it is set aside, and everything around it goes on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` answers, or what it said when it panicked. It must not leave anything half done that others see.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| message(&*payload))
}

/// What a panic said.
pub(super) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    // Postgres has no place for U+0000 in a text.
    text.unwrap_or("no message").replace('\0', "\u{fffd}")
}
