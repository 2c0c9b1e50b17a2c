//! Which deliveries a page shows, found in bounded time whatever is asked for.
//!
//! Each way to look goes through one index in its order, from where the page starts, so that what is looked at first is
//! what comes first. A filter that an index answers alone fills the page at once. Of several, or of one that no index
//! answers, rows are looked at until the page is full or the time is over; then the page is short, and the next one starts
//! where the looking ended.
//!
//! The last row that was looked at may be another tenant's, so a page that ended early names none: its cursor is the next border above that
//! row, and what was found between the two is left for the next page, which looks there again.
//!
//! The planner must not choose another way: it guesses how many rows match, and where it takes something rare
//! for common, or for common what has not come for a month, it reads millions. So everything is ordered as one index is, and what
//! has no order is forbidden. The key is `= ANY` of one: with a plain `=` the planner knows that its order does not matter, and takes
//! the primary key; with whole rows compared, the scan would not end at its lower bound.

use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, RunQueryDsl, TransactionManager};
use uuid::Uuid;

use super::statement::statement;
use super::{FIRST_TIME, LAST_TIME, in_calendar};
use crate::faults;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{DeliveryFilter, DeliveryId, Status};

/// Rows that each way looks at first, and the one that got furthest at a time after that.
pub(super) const FIRST_LOOK: i64 = 1_000;
pub(super) const LONGEST_LOOK: i64 = 4_000;
/// No further look begins after this time.
const PATIENCE: Duration = Duration::from_millis(15);

/// All that a list reads is as of one moment. What every connection sets is said again, for a pooler between may have given us another one.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan TO off; SET LOCAL enable_bitmapscan TO off; \
                     SET LOCAL enable_sort TO off; SET LOCAL jit TO off";

/// Begins what ends with [`end`]. A connection that is given back in between is thrown away.
pub(super) async fn begin(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(connection, BEGIN).await
}

pub(super) async fn end<T>(connection: &mut AsyncPgConnection, outcome: QueryResult<T>) -> QueryResult<T> {
    match outcome {
        Ok(value) => AnsiTransactionManager::commit_transaction(connection).await.map(|()| value),
        Err(error) => AnsiTransactionManager::rollback_transaction(connection).await.and(Err(error)),
    }
}

/// Declares a way to look: its bounds, and the order of its index. It answers what matches the whole filter, newest first, how many
/// rows it looked at, and the oldest of them.
macro_rules! look {
    ($name:ident { $($field:ident: $rust:ty => $sql:ty),* $(,)? } $bounds:literal, $order:literal) => {
        statement! {
            $name<'a> {
                $($field: $rust => $sql,)*
                rows: i64 => BigInt,
                tenant: Option<&'a str> => Nullable<Text>,
                endpoint: Option<i64> => Nullable<BigInt>,
                event_type: Option<&'a str> => Nullable<Text>,
                status: Option<&'a str> => Nullable<Text>,
                since: Timestamp => Timestamptz,
                until: Timestamp => Timestamptz,
                wanted: i64 => BigInt,
            } -> (Array<SqlUuid>, BigInt, Nullable<SqlUuid>) = concat!(
                "WITH looked AS MATERIALIZED (SELECT id, created_at, endpoint_id, tenant, event_type, status FROM webhook_deliveries WHERE ",
                $bounds, " ORDER BY ", $order, " LIMIT ?) SELECT ARRAY(SELECT id FROM looked WHERE coalesce(tenant = ?, true) \
                 AND coalesce(endpoint_id = ?, true) AND coalesce(event_type = ?, true) AND coalesce(status = ?, true) \
                 AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?), (SELECT count(*) FROM looked), \
                 (SELECT id FROM looked ORDER BY id LIMIT 1)"
            )
        }

        impl<'a> $name<'a> {
            fn new(($($field,)*): ($($rust,)*), filter: &'a DeliveryFilter, rows: i64, wanted: i64) -> Self {
                Self {
                    $($field,)*
                    rows,
                    tenant: filter.tenant.as_deref(),
                    endpoint: filter.endpoint_id,
                    event_type: filter.event_type.as_deref(),
                    status: filter.status.map(Status::as_str),
                    since: in_calendar(filter.since.unwrap_or(FIRST_TIME)),
                    until: in_calendar(filter.until.unwrap_or(LAST_TIME)),
                    wanted,
                }
            }
        }
    };
}

look! {
    LookAtAll { before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "id < ? AND id >= ?", "id DESC"
}
look! {
    LookAtEndpoint { key: Vec<i64> => Array<BigInt>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "endpoint_id = ANY (?) AND id < ? AND id >= ?", "endpoint_id DESC, id DESC"
}
look! {
    LookAtFailedOfEndpoint { key: Vec<i64> => Array<BigInt>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "endpoint_id = ANY (?) AND id < ? AND id >= ? AND status = 'failed'", "endpoint_id DESC, id DESC"
}
look! {
    LookAtWaitingOfEndpoint { key: Vec<i64> => Array<BigInt>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "endpoint_id = ANY (?) AND id < ? AND id >= ? AND status IN ('pending', 'retrying')", "endpoint_id DESC, id DESC"
}
look! {
    LookAtTenant { key: Vec<&'a str> => Array<Text>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "tenant = ANY (?) AND id < ? AND id >= ? AND tenant <> 'default'", "tenant DESC, id DESC"
}
look! {
    LookAtType { key: Vec<&'a str> => Array<Text>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "event_type = ANY (?) AND id < ? AND id >= ?", "event_type DESC, id DESC"
}
look! {
    LookAtStatus { key: Vec<&'a str> => Array<Text>, before: Uuid => SqlUuid, first: Uuid => SqlUuid }
    "status = ANY (?) AND id < ? AND id >= ? AND status IN ('pending', 'retrying', 'failed')", "status DESC, id DESC"
}

/// An index to go through, with the key whose rows it has side by side.
#[derive(Clone, Copy)]
enum Way<'a> {
    All,
    Endpoint(i64),
    FailedOfEndpoint(i64),
    WaitingOfEndpoint(i64),
    Tenant(&'a str),
    Type(&'a str),
    Status(&'a str),
}

impl<'a> Way<'a> {
    /// Every way that passes nothing that the filter wants. The first is the one that most often passes little else.
    fn all_for(filter: &'a DeliveryFilter) -> Vec<Self> {
        let mut ways = Vec::new();
        ways.extend(filter.endpoint_id.map(|endpoint| match filter.status {
            Some(Status::Failed) => Self::FailedOfEndpoint(endpoint),
            Some(Status::Pending | Status::Retrying) => Self::WaitingOfEndpoint(endpoint),
            _ => Self::Endpoint(endpoint),
        }));
        // The index has all tenants but this one: see the migration.
        ways.extend(filter.tenant.as_deref().filter(|tenant| *tenant != "default" && filter.endpoint_id.is_none()).map(Self::Tenant));
        ways.extend(filter.event_type.as_deref().map(Self::Type));
        ways.extend(filter.status.filter(|status| *status != Status::Delivered).map(|status| Self::Status(status.as_str())));
        if ways.is_empty() {
            ways.push(Self::All);
        }
        ways
    }
}

/// Ids from `first` up to `before`, which is not among them.
#[derive(Clone, Copy)]
struct Span {
    first: Uuid,
    before: Uuid,
}

/// What one look saw.
struct Seen {
    found: Vec<Uuid>,
    /// The last row that was looked at; `None` when it came to the end.
    last: Option<Uuid>,
}

async fn look(
    connection: &mut AsyncPgConnection,
    way: Way<'_>,
    filter: &DeliveryFilter,
    Span { first, before }: Span,
    rows: i64,
    wanted: i64,
) -> QueryResult<Seen> {
    macro_rules! through {
        ($name:ident, $bounds:expr) => {
            $name::new($bounds, filter, rows, wanted).get_result(connection).await
        };
    }
    let (found, looked_at, last): (Vec<Uuid>, i64, Option<Uuid>) = match way {
        Way::All => through!(LookAtAll, (before, first)),
        Way::Endpoint(id) => through!(LookAtEndpoint, (vec![id], before, first)),
        Way::FailedOfEndpoint(id) => through!(LookAtFailedOfEndpoint, (vec![id], before, first)),
        Way::WaitingOfEndpoint(id) => through!(LookAtWaitingOfEndpoint, (vec![id], before, first)),
        Way::Tenant(name) => through!(LookAtTenant, (vec![name], before, first)),
        Way::Type(name) => through!(LookAtType, (vec![name], before, first)),
        Way::Status(name) => through!(LookAtStatus, (vec![name], before, first)),
    }?;
    Ok(Seen { found, last: last.filter(|_| looked_at == rows) })
}

/// The ids of a page, newest first, and after which id the next one starts.
pub(super) async fn page(
    connection: &mut AsyncPgConnection,
    filter: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: u32,
) -> QueryResult<(Vec<Uuid>, Option<Uuid>)> {
    let wanted = limit as usize + 1;
    let started = Instant::now();
    let mut span = span_of(filter, after);
    let start = span.before;
    let (mut ways, mut rows) = (Way::all_for(filter), FIRST_LOOK.max(i64::from(limit) + 1));
    let mut found: Vec<Uuid> = Vec::new();
    loop {
        let missing = wanted - found.len();
        let mut furthest: Option<(Way<'_>, Seen)> = None;
        for way in ways {
            let seen = look(connection, way, filter, span, rows, i64::try_from(missing).unwrap_or(i64::MAX)).await?;
            let enough = seen.last.is_none() || seen.found.len() >= missing;
            if enough || furthest.as_ref().is_none_or(|(_, before)| seen.last < before.last) {
                furthest = Some((way, seen));
            }
            if enough {
                break;
            }
        }
        let Some((way, seen)) = furthest else { return Ok((found, None)) };
        found.extend(seen.found);
        if found.len() == wanted {
            found.pop();
            let next = found.last().copied();
            return Ok((found, next));
        }
        let Some(last) = seen.last else { return Ok((found, None)) };
        // While no border lies between here and the start, the next page would be this one again.
        let mut borders = DeliveryId(last).borders().into_iter().map(|border| border.0);
        if is_over(started)
            && let Some(border) = borders.find(|border| *border < start)
        {
            found.retain(|id| *id >= border);
            return Ok((found, Some(border)));
        }
        (ways, span.before, rows) = (vec![way], last, (rows * 2).min(LONGEST_LOOK));
    }
}

/// Whether no further look shall begin.
pub(super) fn is_over(started: Instant) -> bool {
    started.elapsed() >= PATIENCE || faults::is_set("impatient")
}

/// Ids carry milliseconds: they find the neighbourhood, and `created_at` has the exact border.
fn span_of(filter: &DeliveryFilter, after: Option<DeliveryId>) -> Span {
    let end = filter.until.map_or(Uuid::max(), |until| DeliveryId::first_at(clock::after(until, Duration::from_millis(1))).0);
    Span {
        first: filter.since.map_or(Uuid::nil(), |since| DeliveryId::first_at(since).0),
        before: after.map_or(end, |after| after.0.min(end)),
    }
}

statement! {
    InRanges {
        from: Vec<Uuid> => Array<SqlUuid>,
        to: Vec<Uuid> => Array<SqlUuid>,
        before: Uuid => SqlUuid,
        first: Uuid => SqlUuid,
        endpoint: Option<i64> => Nullable<BigInt>,
        event: String => Text,
        event_type: Option<String> => Nullable<Text>,
        status: Option<&'static str> => Nullable<Text>,
        since: Timestamp => Timestamptz,
        until: Timestamp => Timestamptz,
        each: i64 => BigInt,
        wanted: i64 => BigInt,
    } -> SqlUuid =
        "SELECT own.id FROM unnest(?, ?) AS v (first, last), LATERAL (SELECT d.id FROM webhook_deliveries d \
         WHERE d.id BETWEEN v.first AND v.last AND d.id < ? AND d.id >= ? AND coalesce(d.endpoint_id = ?, true) AND d.event_id = ? \
         AND coalesce(d.event_type = ?, true) AND coalesce(d.status = ?, true) AND d.created_at >= ? AND d.created_at < ? \
         ORDER BY d.id DESC LIMIT ?) own ORDER BY own.id DESC LIMIT ?"
}

/// The same for one event id, whose deliveries lie in these ranges of the primary key: one for each tenant that has such an event.
pub(super) async fn page_of_event(
    connection: &mut AsyncPgConnection,
    (filter, event_id): (&DeliveryFilter, &str),
    ranges: &[(Uuid, Uuid)],
    after: Option<DeliveryId>,
    limit: u32,
) -> QueryResult<(Vec<Uuid>, Option<Uuid>)> {
    let Span { first, before } = span_of(filter, after);
    let statement = InRanges {
        from: ranges.iter().map(|range| range.0).collect(),
        to: ranges.iter().map(|range| range.1).collect(),
        before,
        first,
        endpoint: filter.endpoint_id,
        event: event_id.to_owned(),
        event_type: filter.event_type.clone(),
        status: filter.status.map(Status::as_str),
        since: in_calendar(filter.since.unwrap_or(FIRST_TIME)),
        until: in_calendar(filter.until.unwrap_or(LAST_TIME)),
        each: i64::from(limit) + 1,
        wanted: i64::from(limit) + 1,
    };
    let mut found: Vec<Uuid> = statement.load(connection).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().copied().filter(|_| more);
    Ok((found, next))
}
