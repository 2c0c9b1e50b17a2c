//! Requests with an `Idempotency-Key`: whoever repeats one gets the answer of before.

use std::sync::Arc;

use crate::model::clock::Timestamp;

/// A request with a key, as it is remembered. Of key and body there are hashes alone: nobody who reads the records learns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// SHA-256 over the key and whose it is.
    pub key: [u8; 32],
    /// SHA-256 of the body's bytes.
    pub body: [u8; 32],
    /// What it is answered: the id of each event, in order.
    pub ids: Vec<Arc<str>>,
    /// When it came.
    pub at: Timestamp,
    /// What came before this time is forgotten.
    pub since: Timestamp,
}

/// What became of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was taken in. Whether its events were new, in order.
    Now(Vec<bool>),
    /// It had been taken in before, and was answered these ids.
    Before(Vec<Arc<str>>),
    /// Its key came with another body before.
    OtherBody,
    /// Another one with its key is being taken in at this moment.
    Running,
}
