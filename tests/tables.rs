//! What is in the tables, for those who ask by SQL, and the same of the API.

mod attempts;
mod columns;
mod rows;
