//! The queue of one process: the [`Book`](super::book::Book) in memory, and dead letters in the file.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use diesel::prelude::*;

use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::schema::webhook_dead_letters as l;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::micros;
use crate::model::clock::{self, Timestamp};
use crate::model::dead_letter::DeadLetter;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::{BackendError, Claim, ClaimId, Depth, Due, Memory, Oldest, Queue, Reserved, Settlement, TakenOver};

#[async_trait]
impl Queue for Sqlite {
    fn name(&self) -> &'static str {
        super::trouble::BACKEND
    }

    /// Door 1 is Redis: here nothing ever comes through it.
    async fn claim_entries(&self, _max: usize, wait: Duration) -> Result<Option<Claim<Bytes>>, BackendError> {
        tokio::time::sleep(wait).await;
        Ok(None)
    }

    async fn claim_accepted(&self, max: usize, wait: Duration) -> Result<Option<Claim<EventKey>>, BackendError> {
        let claimed = async {
            loop {
                let mut offered = pin!(self.offered.notified());
                // From here on an offer is heard, so none is missed between looking and waiting.
                offered.as_mut().enable();
                if let Some(claim) = self.book().claim(clock::now(), max) {
                    return claim;
                }
                offered.await;
            }
        };
        Ok(tokio::time::timeout(wait, claimed).await.ok())
    }

    async fn claim_due(&self, max: usize, lapsed: bool) -> Result<Due, BackendError> {
        let now = clock::now();
        let mut book = self.book();
        let until = book.lease_from(now);
        Ok(book.schedule.lease_due(now, until, max, if lapsed { max } else { 0 }))
    }

    async fn take_over(&self, max: usize) -> Result<Vec<TakenOver>, BackendError> {
        Ok(self.book().take_over(clock::now(), max).into_iter().map(TakenOver::Accepted).collect())
    }

    async fn reserve(&self, claim: &ClaimId, keys: &[EventKey]) -> Result<Vec<Reserved>, BackendError> {
        Ok(self.book().reserve(claim, keys).into_iter().map(Reserved::from).collect())
    }

    async fn renew(&self, claims: &[ClaimId], deliveries: &[DeliveryId]) -> Result<(), BackendError> {
        let mut book = self.book();
        let until = book.lease_from(clock::now());
        for claim in claims {
            book.renew(claim, until);
        }
        for &id in deliveries {
            book.schedule.renew(id, until);
        }
        Ok(())
    }

    async fn offer(&self, events: &[(EventKey, Timestamp)]) -> Result<u64, BackendError> {
        let new = {
            let mut book = self.book();
            events.iter().filter(|(key, accepted_at)| book.offer(key, *accepted_at)).count() as u64
        };
        if new > 0 {
            self.offered.notify_waiters();
        }
        Ok(new)
    }

    async fn schedule_missing(&self, deliveries: &[(DeliveryId, Timestamp)]) -> Result<u64, BackendError> {
        let mut book = self.book();
        Ok(deliveries.iter().filter(|&&(id, due)| book.schedule.put_missing(id, due)).count() as u64)
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), BackendError> {
        // What can fail comes first: then nothing was settled.
        if !settlement.dead.is_empty() {
            let dead = settlement.dead.clone();
            self.writer.run(move |conn| dead.iter().try_for_each(|letter| bury(conn, letter))).await?;
        }
        self.book().settle(clock::now(), settlement);
        Ok(())
    }

    /// The book is read from the file when that is opened, and lives as long as the process.
    async fn memory(&self) -> Result<Memory, BackendError> {
        Ok(Memory::Whole)
    }

    async fn memory_is_whole(&self) -> Result<bool, BackendError> {
        Ok(true)
    }

    async fn restoring(&self) -> Result<bool, BackendError> {
        Ok(true)
    }

    async fn restored(&self) -> Result<(), BackendError> {
        Ok(())
    }

    async fn depth(&self) -> Result<Depth, BackendError> {
        Ok(self.book().depth())
    }

    async fn oldest(&self) -> Result<Oldest, BackendError> {
        Ok(self.book().oldest())
    }

    async fn ping(&self) -> Result<(), BackendError> {
        self.check().await
    }
}

fn bury(conn: &mut SqliteConnection, letter: &DeadLetter) -> Result<(), Trouble> {
    diesel::insert_into(l::table)
        .values((l::reason.eq(&letter.reason), l::class.eq(letter.class), l::at.eq(micros(letter.at)), l::entry.eq(&*letter.entry)))
        .execute(conn)?;
    Ok(())
}

pub(super) fn count_dead_letters(conn: &mut SqliteConnection) -> Result<i64, Trouble> {
    Ok(l::table.count().get_result(conn)?)
}
