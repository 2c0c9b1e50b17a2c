//! Dead letters in the file. A letter's id is that of its row, and so is its place.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::schema::webhook_dead_letters as l;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::{limit, number, time};
use crate::model::dead_letter::{CUT, KeptLetter};
use crate::ports::{BackendError, DeadLetters, Letters, LettersAsked};

/// A page ends when it has so many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// What of the entry is not cut is read alone, so that nothing is loaded that is not shown.
const NEXT: &str = "SELECT id, reason, at, length(entry) AS size, \
                    CASE WHEN length(entry) <= ? THEN entry ELSE substr(entry, 1, ?) END AS entry \
                    FROM webhook_dead_letters WHERE id < ? ORDER BY id DESC LIMIT 1";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = BigInt)]
    size: i64,
    #[diesel(sql_type = Binary)]
    entry: Vec<u8>,
}

#[async_trait]
impl DeadLetters for Sqlite {
    async fn letters(&self, asked: LettersAsked<'_>) -> Result<Letters, BackendError> {
        let (after, max, max_bytes) = (asked.after, asked.limit, asked.max_bytes);
        let only = asked.ids.map(own);
        let total = self.book().dead_letters;
        let (items, next) = self.readers.run(move |conn| page(conn, only.as_deref(), after, max, max_bytes)).await?;
        Ok(Letters { items, next, total })
    }

    async fn remove_letters(&self, ids: &[String], _after: Option<u64>) -> Result<u64, BackendError> {
        let ids = own(ids);
        let remove = move |conn: &mut SqliteConnection| Ok(diesel::delete(l::table.filter(l::id.eq_any(ids))).execute(conn)?);
        self.removed(remove).await
    }

    async fn remove_all_letters(&self) -> Result<u64, BackendError> {
        self.removed(|conn| Ok(diesel::delete(l::table).execute(conn)?)).await
    }
}

impl Sqlite {
    async fn removed<F>(&self, remove: F) -> Result<u64, BackendError>
    where
        F: FnOnce(&mut SqliteConnection) -> Result<usize, Trouble> + Send + 'static,
    {
        let count = self.writer.run(remove).await? as u64;
        let mut book = self.book();
        book.dead_letters = book.dead_letters.saturating_sub(count);
        Ok(count)
    }
}

/// Those that can be ids of rows, newest first; in another spelling they are none.
fn own(ids: &[String]) -> Vec<i64> {
    let mut own: Vec<i64> = ids.iter().filter_map(|id| id.parse().ok().filter(|row: &i64| row.to_string() == *id)).collect();
    own.sort_unstable_by(|a, b| b.cmp(a));
    own.dedup();
    own
}

fn page(
    conn: &mut SqliteConnection,
    only: Option<&[i64]>,
    after: Option<u64>,
    max: usize,
    max_bytes: usize,
) -> Result<(Vec<KeptLetter>, Option<u64>), Trouble> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    let mut below = after.map_or(i64::MAX, |after| i64::try_from(after).unwrap_or(i64::MAX));
    while items.len() < max && bytes < PAGE_BYTES {
        if let Some(only) = only {
            // The next one that is wanted lies right below the bound.
            let Some(next) = only.iter().find(|id| **id < below) else { return Ok((items, None)) };
            below = next.saturating_add(1);
        }
        let query = diesel::sql_query(NEXT).bind::<BigInt, _>(limit(max_bytes)).bind::<BigInt, _>(limit(CUT)).bind::<BigInt, _>(below);
        let Some(row) = query.get_result::<Row>(conn).optional()? else { return Ok((items, None)) };
        below = row.id;
        if only.is_none_or(|only| only.contains(&row.id)) {
            bytes += row.entry.len() + row.reason.len();
            let size: u64 = number(row.size);
            let cut = size > row.entry.len() as u64;
            items.push(KeptLetter {
                id: row.id.to_string(),
                reason: row.reason,
                at: Some(time(row.at)),
                entry: row.entry.into(),
                size,
                cut,
            });
        }
    }
    let more: i64 = l::table.filter(l::id.lt(below)).limit(1).count().get_result(conn)?;
    Ok((items, (more > 0).then_some(number(below))))
}
