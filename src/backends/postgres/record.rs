//! Commits batches: in one statement where it can, in one transaction where it must.

use std::collections::HashSet;
use std::sync::Arc;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::errors::{is_conflict, unavailable};
use super::{Postgres, owners, totals, write};
use crate::model::clock::Timestamp;
use crate::model::event::{Event, EventKey};
use crate::ports::{BackendError, Batch, Disabling, Recovery, Routed, Step};

/// A batch, or a half of one.
#[derive(Clone, Copy)]
struct Part<'a> {
    routed: &'a [Routed],
    steps: &'a [Step],
    set_aside: &'a [(EventKey, String)],
    told: &'a [Arc<Event>],
    recovered: &'a [Recovery],
    failing: &'a [(i64, Timestamp)],
    disabled: &'a [Disabling],
}

impl<'a> Part<'a> {
    fn all_of(batch: &'a Batch) -> Self {
        Self {
            routed: &batch.routed,
            steps: &batch.steps,
            set_aside: &batch.set_aside,
            told: &batch.told,
            recovered: &batch.recovered,
            failing: &batch.failing,
            disabled: &batch.disabled,
        }
    }

    fn lens(self) -> [usize; 7] {
        let owners = [self.recovered.len(), self.failing.len(), self.disabled.len()];
        [self.routed.len(), self.steps.len(), self.set_aside.len(), self.told.len(), owners[0], owners[1], owners[2]]
    }

    fn len(self) -> usize {
        self.lens().iter().sum()
    }

    fn halves(self) -> [Self; 2] {
        let left = &mut (self.len() / 2);
        let (routed, steps, set_aside) = (split(self.routed, left), split(self.steps, left), split(self.set_aside, left));
        let (told, recovered) = (split(self.told, left), split(self.recovered, left));
        let (failing, disabled) = (split(self.failing, left), split(self.disabled, left));
        let [first, second] = [0, 1].map(|half| Self {
            routed: routed[half],
            steps: steps[half],
            set_aside: set_aside[half],
            told: told[half],
            recovered: recovered[half],
            failing: failing[half],
            disabled: disabled[half],
        });
        [first, second]
    }

    /// Whether endpoints are written, which may take further statements for the events that go with that.
    fn changes_endpoints(self) -> bool {
        !self.recovered.is_empty() || !self.failing.is_empty() || !self.disabled.is_empty()
    }
}

/// The first `left` of them, and the rest; `left` becomes what is still to be taken.
fn split<'a, T>(all: &'a [T], left: &mut usize) -> [&'a [T]; 2] {
    let taken = all.len().min(*left);
    *left -= taken;
    all.split_at(taken).into()
}

impl Postgres {
    /// Records the batch. Where Postgres refuses a row, everything else is committed in smaller and smaller parts, and the
    /// first refusal is the answer: one bad row never holds up the others.
    pub(super) async fn record_batch(&self, batch: &Batch) -> Result<(), BackendError> {
        let mut parts = vec![Part::all_of(batch)];
        let mut refusal = None;
        while let Some(part) = parts.pop() {
            match self.commit(part).await {
                Ok(()) => {}
                Err(BackendError::Refused { .. }) if part.len() > 1 => {
                    let [first, second] = part.halves();
                    parts.push(second);
                    parts.push(first);
                }
                Err(error @ BackendError::Refused { .. }) => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    async fn commit(&self, part: Part<'_>) -> Result<(), BackendError> {
        if part.len() == 0 {
            return Ok(());
        }
        let mut place = self.recorder.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => self.recording_connection().await?,
        };
        let outcome = self.call("record", write(&mut connection, part)).await;
        // After a refusal the connection is as good as new: the transaction, if any, was rolled back.
        if !matches!(outcome, Err(BackendError::Unavailable { .. })) {
            *place = Some(connection);
        }
        outcome
    }

    async fn recording_connection(&self) -> Result<AsyncPgConnection, BackendError> {
        let made = self.connector.connect().await;
        let mut connection = made.map_err(|error| unavailable(&self.connector.address, error))?;
        // Planned for each batch as large as it is, and for the tables as they are by now: that costs nothing among hundreds of rows.
        self.within(connection.batch_execute("SET plan_cache_mode TO force_custom_plan")).await?;
        self.within(totals::take_part(&mut connection)).await?;
        Ok(connection)
    }
}

/// First as if nobody else had routed any of the events; if somebody had, once more with care.
async fn write(connection: &mut AsyncPgConnection, part: Part<'_>) -> QueryResult<()> {
    match attempt(connection, part, false).await {
        Err(error) if is_conflict(&error) => attempt(connection, part, true).await,
        outcome => outcome,
    }
}

async fn attempt(connection: &mut AsyncPgConnection, part: Part<'_>, careful: bool) -> QueryResult<()> {
    let (accepted, new) = sorted(part.routed);
    let kinds = [!accepted.is_empty(), !new.is_empty(), !part.steps.is_empty(), !part.set_aside.is_empty(), !part.told.is_empty()];
    // One statement commits by itself.
    if !careful && !part.changes_endpoints() && kinds.iter().filter(|some| **some).count() == 1 {
        return statements(connection, part, &accepted, &new, careful).await;
    }
    connection.batch_execute("BEGIN").await?;
    let outcome = statements(connection, part, &accepted, &new, careful).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.batch_execute(end).await;
    outcome.and(ended)
}

async fn statements(
    connection: &mut AsyncPgConnection,
    part: Part<'_>,
    accepted: &[&Routed],
    new: &[&Routed],
    careful: bool,
) -> QueryResult<()> {
    match (new.is_empty(), careful) {
        (true, _) => {}
        (false, false) => write::insert_routed(connection, new).await?,
        (false, true) => {
            write::insert_missing(connection, new).await?;
            // What was there may be accepted, and routed by nobody.
            write::mark_routed(connection, new).await?;
        }
    }
    if !accepted.is_empty() {
        write::mark_routed(connection, accepted).await?;
    }
    if !part.steps.is_empty() {
        let steps: Vec<_> = part.steps.iter().collect();
        write::take_steps(connection, &steps).await?;
    }
    if !part.set_aside.is_empty() {
        write::set_aside(connection, part.set_aside).await?;
    }
    owners::accept(connection, part.told.iter().map(|event| &**event).collect()).await?;
    // Last: they hold the catalog's one row until the commit.
    let mut told = Vec::new();
    if !part.recovered.is_empty() {
        told.extend(owners::recover(connection, part.recovered).await?);
    }
    if !part.failing.is_empty() {
        owners::fail(connection, part.failing).await?;
    }
    if !part.disabled.is_empty() {
        told.extend(owners::disable(connection, part.disabled).await?);
    }
    owners::accept(connection, told).await
}

/// Accepted events and new ones, each once, and in an order that all recorders share: so they cannot lock each other out.
fn sorted(routed: &[Routed]) -> (Vec<&Routed>, Vec<&Routed>) {
    let mut seen = HashSet::with_capacity(routed.len());
    let once: Vec<_> = routed.iter().filter(|routed| seen.insert(&routed.event.key)).collect();
    let (mut accepted, mut new): (Vec<_>, Vec<_>) = once.into_iter().partition(|routed| routed.accepted);
    accepted.sort_unstable_by(|a, b| a.event.key.cmp(&b.event.key));
    new.sort_unstable_by(|a, b| a.event.key.cmp(&b.event.key));
    (accepted, new)
}
