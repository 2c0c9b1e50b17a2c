//! What a receiver's answer means, and what counts as none.

mod failures;
mod kept;
mod statuses;
mod timeout;
