//! The concrete servers behind the ports: Redis and Postgres in production, one SQLite file embedded.

mod meter;
pub mod postgres;
pub mod redis;
pub mod sqlite;
mod vault;
