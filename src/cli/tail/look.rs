//! One look at the list: the pages that may have something new.

use std::time::Duration;

use chrono::SecondsFormat;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Followed;
use super::seen::{Facts, Seen, Waits};
use crate::cli::client::{Call, Client};
use crate::cli::{CliError, output};
use crate::model::clock::Timestamp;
use crate::model::page::MAX_LIMIT;

/// How far back each look goes behind the one before. The server says the time to the second, and commits take some.
const CLOSE: Duration = Duration::from_secs(5);
/// How far back a thorough look goes.
const FAR: Duration = Duration::from_secs(300);
/// Every so many looks is thorough.
const THOROUGH: u32 = 10;
/// Pages that one look reads at most.
const MAX_PAGES: u32 = 20;
/// After so many pages a look that is not thorough ends with the first one that has nothing new.
const PAGES: u32 = 4;
/// Deliveries that are looked at by themselves each time.
const MAX_DUE: usize = 5;

/// What a look brought.
pub(super) struct News {
    /// Newest last.
    pub(super) items: Vec<Item>,
    /// Whether there was more, which is not looked for any further.
    pub(super) cut: bool,
}

/// An event or a delivery.
pub(super) struct Item {
    /// As the API says it.
    pub(super) raw: Box<RawValue>,
    facts: Facts,
}

pub(super) struct Looker<'a> {
    client: &'a Client,
    followed: &'a Followed,
    seen: Seen,
    /// When the server answered the last look.
    last: Timestamp,
    looks: u32,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// What the pages of one look have.
struct Read {
    items: Vec<Item>,
    /// When the server answered.
    at: Timestamp,
    cut: bool,
}

impl<'a> Looker<'a> {
    pub(super) fn new(client: &'a Client, followed: &'a Followed) -> Self {
        Self { client, followed, seen: Seen::default(), last: Timestamp::MIN_UTC, looks: 0 }
    }

    /// Learns what is there, and answers the latest `lines` of it, newest last.
    pub(super) async fn begin(&mut self, lines: u32) -> Result<Vec<Item>, CliError> {
        (_, self.last) = self.client.call_at(self.call().and("limit", Some(1))).await?;
        if self.followed.list == "deliveries" {
            for status in ["retrying", "pending"] {
                let waiting = self.page(self.call().and("status", Some(status)).and("limit", Some(MAX_LIMIT))).await?;
                self.note(waiting);
            }
        }
        let since = self.last - FAR;
        let read = self.read(since, true).await?;
        self.seen.begin(read.items.last().filter(|_| read.cut).map_or(since, |oldest| oldest.facts.created_at));
        self.last = read.at;
        self.note(read.items);
        if lines == 0 {
            return Ok(Vec::new());
        }
        // After all of the others: what came meanwhile is among these, or is found by the next look.
        let mut latest = self.page(self.call().and("status", self.followed.status.as_ref()).and("limit", Some(lines))).await?;
        for item in &latest {
            self.seen.note(&item.facts, self.last);
        }
        latest.reverse();
        Ok(latest)
    }

    /// What is new since the last look.
    pub(super) async fn look(&mut self) -> Result<News, CliError> {
        let thorough = self.looks % THOROUGH == THOROUGH - 1;
        let read = self.read(self.last - if thorough { FAR } else { CLOSE }, thorough).await?;
        let mut items = read.items;
        for waits in self.seen.due(read.at, MAX_DUE) {
            match self.one(&waits).await? {
                Some(item) => items.push(item),
                None => self.seen.gone(&waits),
            }
        }
        // Only now: a look that breaks off is made again.
        (self.last, self.looks) = (read.at, self.looks.wrapping_add(1));
        Ok(News { items: self.note(items), cut: read.cut })
    }

    /// Those that are to be shown, in the order in which they came or ended.
    fn note(&mut self, mut items: Vec<Item>) -> Vec<Item> {
        items.sort_by(|a, b| a.facts.place().cmp(&b.facts.place()));
        let (seen, now) = (&mut self.seen, self.last);
        items.retain(|item| seen.note(&item.facts, now));
        seen.forget();
        items.retain(|item| self.followed.status.as_ref().is_none_or(|status| item.facts.status.as_ref() == Some(status)));
        items
    }

    /// What was created since then, newest first: all of it, or as far as there is something new.
    async fn read(&self, since: Timestamp, thorough: bool) -> Result<Read, CliError> {
        let since = self.seen.floor().max(since).to_rfc3339_opts(SecondsFormat::Micros, true);
        let (mut items, mut cursor, mut at) = (Vec::new(), None::<String>, None);
        let mut number = 0;
        loop {
            number += 1;
            let call = self.call().and("since", Some(&since)).and("limit", Some(MAX_LIMIT)).and("cursor", cursor);
            let (answer, date) = self.client.call_at(call).await?;
            let at = *at.get_or_insert(date);
            let page: Page = output::parse(&answer)?;
            let (full, known) = (page.items.len() >= MAX_LIMIT as usize, items.len());
            for raw in page.items {
                items.push(item_of(raw)?);
            }
            let news = items[known..].iter().any(|item| self.seen.is_new(&item.facts));
            cursor = page.next_cursor;
            // A page that is not full may have been too long to look for.
            let enough = !thorough && number >= PAGES && full && !news;
            if cursor.is_none() || enough || number == MAX_PAGES {
                return Ok(Read { items, at, cut: cursor.is_some() && !enough && news });
            }
        }
    }

    /// A delivery that waits, as the list has it.
    async fn one(&self, waits: &Waits) -> Result<Option<Item>, CliError> {
        let call = Call::get(&["deliveries"])
            .and("event_id", Some(&waits.event_id))
            .and("endpoint_id", Some(waits.endpoint_id))
            .and("tenant", Some(&waits.tenant))
            .and("limit", Some(1));
        Ok(self.page(call).await?.pop())
    }

    fn call(&self) -> Call<'static> {
        let path: &'static [&'static str] = if self.followed.list == "events" { &["events"] } else { &["deliveries"] };
        Call { query: self.followed.query.clone(), ..Call::get(path) }
    }

    /// One page, newest first.
    async fn page(&self, call: Call<'_>) -> Result<Vec<Item>, CliError> {
        let answer = self.client.call(call).await?;
        output::parse::<Page>(&answer)?.items.into_iter().map(item_of).collect()
    }
}

fn item_of(raw: Box<RawValue>) -> Result<Item, CliError> {
    Ok(Item { facts: output::parse(raw.get())?, raw })
}
