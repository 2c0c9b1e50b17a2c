//! The only rooms that name `redis`, `diesel`, SQL and Lua.

pub mod postgres;
