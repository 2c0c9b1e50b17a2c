//! SIGTERM, and what becomes of the work.

mod one;
mod rolling;
