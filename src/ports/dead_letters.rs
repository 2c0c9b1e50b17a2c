//! What could not be processed: looked at, enqueued again, dropped.

use async_trait::async_trait;

use super::{BackendError, Bulk, RetryError};
use crate::model::dead_letter::KeptLetter;

/// One page of dead letters.
#[derive(Debug, Clone, PartialEq)]
pub struct Letters {
    pub items: Vec<KeptLetter>,
    /// The place of the last letter that was looked at; `None` when there is none after it.
    pub next: Option<u64>,
    /// How many letters there are in all.
    pub total: u64,
}

/// Which dead letters a page is to have.
#[derive(Debug, Clone, Copy)]
pub struct LettersAsked<'a> {
    /// These alone; `None` is all.
    pub ids: Option<&'a [String]>,
    pub after: Option<u64>,
    pub limit: usize,
    /// An entry that is larger is cut.
    pub max_bytes: usize,
}

/// A part of the [`Queue`](super::Queue): dead letters. Foreign strings among them are letters whose entry is all of the string.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Letters newest first, starting after the place `after`. A place stays where it is when letters come in or newer ones go, and
    /// lies further on when older ones go, so that whoever goes on from it may see a letter twice, and misses none. A page has some MiB at
    /// most, however large the letters are, and so it may have fewer than `limit`, or none, while there are more.
    ///
    /// An entry of more than `max_bytes` has the first [`CUT`](crate::model::dead_letter::CUT) of them, and its true size.
    async fn letters(&self, asked: LettersAsked<'_>) -> Result<Letters, BackendError>;

    /// Removes one letter for each of these ids, and answers how many there were. Looks from the place `after` on, so `None` finds all. Letters
    /// that are the same in everything may share an id.
    async fn remove_letters(&self, ids: &[String], after: Option<u64>) -> Result<u64, BackendError>;

    /// Removes all of them, and answers how many there were.
    async fn remove_all_letters(&self) -> Result<u64, BackendError>;
}

/// What was enqueued again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requeued {
    pub requeued: u64,
    /// Those that are still no event, with the reason; they stay.
    pub refused: Vec<(String, String)>,
}

/// Enqueues dead letters again: what is an event now is accepted, and its letter goes. A crash between the two repeats nothing, for the
/// event keeps its id.
#[async_trait]
pub trait Requeue: Send + Sync {
    /// These letters, a hundred at most. An id of no letter is refused.
    async fn requeue(&self, ids: &[String]) -> Result<Requeued, BackendError>;

    /// All letters: at once where there are up to a hundred, and otherwise by a run.
    async fn requeue_all(&self) -> Result<Bulk<Requeued>, RetryError>;
}
