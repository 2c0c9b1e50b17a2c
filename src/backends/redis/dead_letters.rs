//! [`DeadLetters`] in Redis commands. The list has no ids: a letter's is the SHA-1 of all of it.

use async_trait::async_trait;
use bytes::Bytes;

use super::RedisQueue;
use crate::model::clock;
use crate::model::dead_letter::{CUT, KeptLetter};
use crate::ports::{BackendError, DeadLetters, Letters, LettersAsked};

/// What one call looks at. Others of this Redis wait meanwhile.
const LOOK: usize = 500;
const LOOK_BYTES: usize = 1 << 20;
/// A page ends when it has so many bytes.
const PAGE_BYTES: usize = 4 << 20;
/// Letters that one call removes at most.
const REMOVED: usize = 500;

/// Id, how it is answered, bytes of the whole entry, at, reason, and the letter or the start of its entry.
type Row = (String, u8, u64, String, Bytes, Bytes);

#[async_trait]
impl DeadLetters for RedisQueue {
    async fn letters(&self, asked: LettersAsked<'_>) -> Result<Letters, BackendError> {
        // In JSON a byte takes six at most, and what is not UTF-8 is in there twice.
        let whole = asked.max_bytes.saturating_mul(8).saturating_add(4096);
        let (mut items, mut bytes, mut after) = (Vec::new(), 0, asked.after);
        loop {
            let mut call = self.scripts.letters.key(&self.keys.dead_letters);
            call.arg(after.unwrap_or(0)).arg(asked.limit - items.len()).arg(LOOK).arg(LOOK_BYTES).arg(whole).arg(CUT);
            if let Some(ids) = asked.ids {
                // None at all would mean all of them.
                call.arg("-").arg(ids);
            }
            let found: (u64, u64, Vec<Row>) = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
            let (total, last, rows) = found;
            for row in rows {
                let letter = letter_of(row).cut_to(asked.max_bytes);
                bytes += letter.entry.len() + letter.reason.len();
                items.push(letter);
            }
            let next = (last > 0).then_some(last);
            if next.is_none() || items.len() >= asked.limit || bytes >= PAGE_BYTES {
                return Ok(Letters { items, next, total });
            }
            after = next;
        }
    }

    async fn remove_letters(&self, ids: &[String], after: Option<u64>) -> Result<u64, BackendError> {
        let mut removed = 0;
        for some in ids.chunks(REMOVED) {
            let (mut left, mut after) = (some.to_vec(), after);
            while !left.is_empty() {
                let mut call = self.scripts.remove_letters.key(&self.keys.dead_letters);
                call.arg(after.unwrap_or(0)).arg(LOOK).arg(LOOK_BYTES).arg(&left);
                let found: (u64, Vec<String>) = call.invoke_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
                let (last, gone) = found;
                removed += gone.len() as u64;
                for id in gone {
                    if let Some(at) = left.iter().position(|other| *other == id) {
                        left.swap_remove(at);
                    }
                }
                if last == 0 {
                    break;
                }
                after = Some(last);
            }
        }
        Ok(removed)
    }

    async fn remove_all_letters(&self) -> Result<u64, BackendError> {
        let key = &self.keys.dead_letters;
        let mut pipe = redis::pipe();
        pipe.atomic().llen(key).unlink(key).ignore();
        let (removed,): (u64,) = pipe.query_async(&mut self.link.connection()).await.map_err(self.link.failed())?;
        Ok(removed)
    }
}

fn letter_of((id, how, size, at, reason, text): Row) -> KeptLetter {
    match how {
        0 => KeptLetter::from_stored(id, text),
        1 => KeptLetter {
            id,
            reason: String::from_utf8_lossy(&reason).into_owned(),
            at: at.parse().ok().map(clock::from_unix_seconds),
            entry: text,
            size,
            cut: true,
        },
        _ => KeptLetter { size, cut: true, ..KeptLetter::foreign(id, text) },
    }
}
