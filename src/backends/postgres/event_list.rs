//! Events as they are listed, found in bounded time as deliveries are: see `lists`.

use std::time::Instant;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::lists::{self, FIRST_LOOK, LONGEST_LOOK};
use super::statement::statement;
use super::{FIRST_TIME, LAST_TIME, Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::event::{EventKey, intern_tenant};
use crate::model::event_view::{EventFilter, EventPlace, EventView};
use crate::model::page::Page;
use crate::ports::BackendError;

/// Declares a way to look: its bounds, and the order of its index. Each row says how many were looked at and which was the last, and
/// has an event that matches the whole filter, if there is one.
macro_rules! look {
    ($name:ident { $($field:ident: $rust:ty => $sql:ty),* $(,)? } $bounds:literal, $order:literal) => {
        statement! {
            $name<'a> {
                $($field: $rust => $sql,)*
                rows: i64 => BigInt,
                tenant: Option<&'a str> => Nullable<Text>,
                event_type: Option<&'a str> => Nullable<Text>,
                source: Option<&'a str> => Nullable<Text>,
                wanted: i64 => BigInt,
            } -> (
                (BigInt, Nullable<Timestamptz>, Nullable<Text>, Nullable<Text>),
                (
                    Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Double>,
                    Nullable<Timestamptz>, Nullable<Timestamptz>, Nullable<Text>
                )
            ) = concat!(
                "WITH looked AS MATERIALIZED (SELECT tenant, id, event_type, source, version, \"timestamp\", created_at, routed_at, \
                 set_aside FROM webhook_events WHERE ", $bounds, " ORDER BY ", $order, " LIMIT ?) \
                 SELECT c.looked_at, l.created_at, l.tenant, l.id, e.* FROM (SELECT count(*) AS looked_at FROM looked) c \
                 LEFT JOIN (SELECT created_at, tenant, id FROM looked ORDER BY created_at, tenant, id LIMIT 1) l ON true \
                 LEFT JOIN (SELECT * FROM looked WHERE coalesce(tenant = ?, true) AND coalesce(event_type = ?, true) \
                 AND coalesce(source = ?, true) ORDER BY created_at DESC, tenant DESC, id DESC LIMIT ?) e ON true \
                 ORDER BY e.created_at DESC, e.tenant DESC, e.id DESC"
            )
        }
    };
}

look! {
    LookAtAll {
        before: Timestamp => Timestamptz,
        before_tenant: &'a str => Text,
        before_id: &'a str => Text,
        since: Timestamp => Timestamptz,
    }
    "(created_at, tenant, id) < (?, ?, ?) AND created_at >= ?", "created_at DESC, tenant DESC, id DESC"
}
look! {
    LookAtTenant {
        key: Vec<&'a str> => Array<Text>,
        before: Timestamp => Timestamptz,
        before_id: &'a str => Text,
        since: Timestamp => Timestamptz,
    }
    "tenant = ANY (?) AND (created_at, id) < (?, ?) AND created_at >= ? AND tenant <> 'default'",
    "tenant DESC, created_at DESC, id DESC"
}

type Looked = (i64, Option<Timestamp>, Option<String>, Option<String>);
type Row = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<f64>,
    Option<Timestamp>,
    Option<Timestamp>,
    Option<String>,
);

/// Not every one has an event.
fn view_of((tenant, id, event_type, source, version, timestamp, created_at, routed_at, set_aside): Row) -> Option<EventView> {
    Some(EventView {
        key: EventKey { tenant: intern_tenant(&tenant?), id: id?.into() },
        event_type: event_type?,
        source: source?,
        version: version?,
        timestamp: timestamp?,
        created_at: created_at?,
        routed_at,
        set_aside,
    })
}

fn place_of((_, at, tenant, id): Looked) -> Option<EventPlace> {
    Some(EventPlace { at: at?, key: EventKey { tenant: intern_tenant(&tenant?), id: id?.into() } })
}

/// What one look saw; the last row that was looked at is `None` when it came to the end.
struct Seen {
    found: Vec<EventView>,
    last: Option<EventPlace>,
}

/// Before which place to look: time, tenant, id.
type Border<'a> = (Timestamp, &'a str, &'a str);

async fn look(connection: &mut AsyncPgConnection, filter: &EventFilter, before: Border<'_>, rows: i64, wanted: i64) -> QueryResult<Seen> {
    let since = in_calendar(filter.since.unwrap_or(FIRST_TIME));
    let (event_type, source) = (filter.event_type.as_deref(), filter.source.as_deref());
    let (tenant, (at, before_tenant, before_id)) = (filter.tenant.as_deref(), before);
    let seen: Vec<(Looked, Row)> = match tenant {
        // The index has all tenants but this one: see the migration.
        Some(key) if key != "default" => {
            // Of another tenant's events at the same time some come before this one's, and none are this one's.
            let before_id = match before_tenant.cmp(key) {
                std::cmp::Ordering::Less => "",
                std::cmp::Ordering::Equal => before_id,
                std::cmp::Ordering::Greater => "\u{7f}",
            };
            LookAtTenant { key: vec![key], before: at, before_id, since, rows, tenant, event_type, source, wanted }.load(connection).await?
        }
        _ => {
            let statement = LookAtAll { before: at, before_tenant, before_id, since, rows, tenant, event_type, source, wanted };
            statement.load(connection).await?
        }
    };
    let last = seen.as_slice().first().map(|(looked, _)| looked.clone()).filter(|(looked_at, ..)| *looked_at == rows).and_then(place_of);
    Ok(Seen { found: seen.into_iter().filter_map(|(_, row)| view_of(row)).collect(), last })
}

async fn page(
    connection: &mut AsyncPgConnection,
    filter: &EventFilter,
    after: Option<EventPlace>,
    limit: u32,
) -> QueryResult<Page<EventView, EventPlace>> {
    let wanted = limit as usize + 1;
    let started = Instant::now();
    let until = filter.until.unwrap_or(LAST_TIME);
    let (mut after, mut rows) = (after.filter(|after| after.at < until), FIRST_LOOK.max(i64::from(limit) + 1));
    let start = after.clone().unwrap_or_else(|| EventPlace { at: until, key: EventKey { tenant: "".into(), id: "".into() } });
    let mut found = Vec::new();
    loop {
        let missing = i64::try_from(wanted - found.len()).unwrap_or(i64::MAX);
        let before = after.as_ref().map_or((until, "", ""), |after| (after.at, &*after.key.tenant, &*after.key.id));
        let seen = look(connection, filter, (in_calendar(before.0), before.1, before.2), rows, missing).await?;
        found.extend(seen.found);
        let Some(last) = seen.last.filter(|_| found.len() < wanted) else {
            return Ok(Page::from_rows(found, limit, EventView::place));
        };
        let next = match &filter.tenant {
            Some(own) if **own != *last.key.tenant => last.border(own),
            _ => last.clone(),
        };
        // Where too many of one time are other tenants', the next page would be this one again.
        if lists::is_over(started) && next < start {
            return Ok(Page { items: found, next: Some(next) });
        }
        (after, rows) = (Some(last), (rows * 2).min(LONGEST_LOOK));
    }
}

impl Postgres {
    pub(super) async fn list_events(
        &self,
        filter: &EventFilter,
        after: Option<&EventPlace>,
        limit: u32,
    ) -> Result<Page<EventView, EventPlace>, BackendError> {
        let mut connection = self.pooled().await?;
        let page = self.within(async {
            lists::begin(&mut connection).await?;
            let outcome = page(&mut connection, filter, after.cloned(), limit).await;
            lists::end(&mut connection, outcome).await
        });
        page.await
    }
}
