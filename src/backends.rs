//! backends

pub mod sqlite;
