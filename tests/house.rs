//! The rooms of the source, as ARCHITECTURE.md describes them, kept by a test.

mod described;
mod libraries;
mod rooms;
mod sizes;
mod sources;
