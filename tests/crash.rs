//! `kill -9`, and what becomes of the work.

mod any_mode;
mod workers;
