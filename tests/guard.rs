//! No request reaches what is not public, however it is written and however it came into the table.

mod sending;
mod spellings;
