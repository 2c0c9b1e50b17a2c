//! Dead letters are enqueued again. What is an event now is accepted, and only then its letter goes: between the two it is there twice, and
//! counts once, since the event keeps its id.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::panics;
use crate::faults;
use crate::model::clock;
use crate::model::dead_letter::KeptLetter;
use crate::model::event::{self, Event, Reading, Rejection};
use crate::model::run::{Run, RunKind};
use crate::ports::{BackendError, Bulk, Door, LettersAsked, Queue, Records, Requeue, Requeued, RetryError, Started};

/// What is done while somebody waits, and what a run looks at in one page.
pub(super) const AT_ONCE: usize = 100;

/// [`Requeue`] over the queue and the door.
#[derive(Clone)]
pub struct Requeuing {
    pub queue: Arc<dyn Queue>,
    pub records: Arc<dyn Records>,
    pub door: Arc<dyn Door>,
    pub max_event_bytes: usize,
}

/// What came of one page, and where the next one starts.
pub(super) struct RequeuedPage {
    /// The letters that are gone.
    pub(super) requeued: Vec<String>,
    /// Those that stay, with the reason.
    pub(super) refused: Vec<(String, String)>,
    pub(super) next: Option<u64>,
}

impl Requeuing {
    /// Enqueues the next letters again, newest first, those of `ids` where they are given.
    pub(super) async fn page(&self, ids: Option<&[String]>, after: Option<u64>, limit: usize) -> Result<RequeuedPage, BackendError> {
        let asked = LettersAsked { ids, after, limit, max_bytes: self.max_event_bytes };
        let letters = self.queue.letters(asked).await?;
        let mut page = RequeuedPage { requeued: Vec::new(), refused: Vec::new(), next: letters.next };
        let (mut events, mut seen) = (Vec::<Event>::new(), HashSet::new());
        for letter in letters.items {
            match self.read(&letter) {
                Ok(event) => {
                    page.requeued.push(letter.id);
                    // The newest letter counts, as the first copy does at every door.
                    if seen.insert(event.key.clone()) {
                        events.push(event);
                    }
                }
                Err(reason) => page.refused.push((letter.id, reason)),
            }
        }
        if !events.is_empty() {
            self.door.accept(events).await?;
            faults::crash_point("letters_accepted");
            self.queue.remove_letters(&page.requeued, after).await?;
        }
        Ok(page)
    }

    /// Pages until `limit` letters were looked at, or all.
    async fn pages(&self, ids: Option<&[String]>, limit: usize) -> Result<RequeuedPage, BackendError> {
        let mut all = self.page(ids, None, limit).await?;
        while let Some(after) = all.next
            && all.requeued.len() + all.refused.len() < limit
        {
            let page = self.page(ids, Some(after), limit).await?;
            all.requeued.extend(page.requeued);
            all.refused.extend(page.refused);
            all.next = page.next;
        }
        Ok(all)
    }

    /// As door 1 reads it, with the limits of today.
    fn read(&self, letter: &KeptLetter) -> Result<Event, String> {
        if letter.cut {
            let bytes = usize::try_from(letter.size).unwrap_or(usize::MAX);
            return Err(Rejection::TooLarge { bytes, limit: self.max_event_bytes }.to_string());
        }
        let max_bytes = self.max_event_bytes;
        let reading = Reading { max_bytes, accepted_at: clock::now(), new_id: None, tenant: None, traceparent: None };
        match panics::caught(|| event::parse(&letter.entry, reading)) {
            Ok(read) => read.map_err(|rejection| rejection.to_string()),
            Err(panic) => Err(format!("reading it made this process panic: {panic}")),
        }
    }
}

#[async_trait]
impl Requeue for Requeuing {
    async fn requeue(&self, ids: &[String]) -> Result<Requeued, BackendError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut page = self.pages(Some(&ids), ids.len()).await?;
        let found = |id: &String| page.requeued.contains(id) || page.refused.iter().any(|(refused, _)| refused == id);
        let missing: Vec<_> = ids.iter().filter(|id| !found(id)).cloned().collect();
        page.refused.extend(missing.into_iter().map(|id| (id, "there is no such dead letter".to_owned())));
        Ok(Requeued { requeued: page.requeued.len() as u64, refused: page.refused })
    }

    async fn requeue_all(&self) -> Result<Bulk<Requeued>, RetryError> {
        let total = self.queue.depth().await?.dead_letters;
        if total > AT_ONCE as u64 {
            let run = Run { total: Some(total), ..Run::new(RunKind::RequeueDeadLetters) };
            return match self.records.start_run(&run).await? {
                Started::New => Ok(Bulk::Started(Box::new(run))),
                Started::Already(id) => Err(RetryError::Running(id)),
            };
        }
        // Others may come in as fast as these go: they are for another call.
        let page = self.pages(None, AT_ONCE).await?;
        Ok(Bulk::Done(Requeued { requeued: page.requeued.len() as u64, refused: page.refused }))
    }
}
