//! Endpoints that fail, recover and are disabled, and the events that tell of it.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::events::insert_accepted;
use super::statement::statement;
use crate::model::clock::Timestamp;
use crate::model::event::Event;
use crate::ports::{Disabling, Recovery};

statement! {
    /// Answers those that were active until now.
    Disable<'a> {
        id: Vec<i64> => Array<BigInt>,
        reason: Vec<&'a str> => Array<Text>,
        failing_since: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>,
    } -> BigInt =
        "UPDATE webhook_endpoints e SET is_active = false, disabled_reason = v.reason \
         FROM unnest(?, ?, ?) AS v (id, reason, failing_since) \
         WHERE e.id = v.id AND e.is_active AND e.deleted_at IS NULL \
         AND (v.failing_since IS NULL OR e.failing_since = v.failing_since) RETURNING e.id"
}

statement! {
    Fail {
        id: Vec<i64> => Array<BigInt>,
        since: Vec<DateTime<Utc>> => Array<Timestamptz>,
    } -> () =
        "UPDATE webhook_endpoints e SET failing_since = v.since FROM unnest(?, ?) AS v (id, since) \
         WHERE e.id = v.id AND e.is_active AND e.failing_since IS NULL"
}

statement! {
    /// Answers those that had failed, or were disabled before.
    Recover {
        id: Vec<i64> => Array<BigInt>,
        at: Vec<DateTime<Utc>> => Array<Timestamptz>,
    } -> BigInt =
        "UPDATE webhook_endpoints e SET failing_since = NULL, recovering = false FROM unnest(?, ?) AS v (id, at) \
         WHERE e.id = v.id AND e.is_active AND (e.failing_since <= v.at OR e.failing_since IS NULL AND e.recovering) RETURNING e.id"
}

/// The events of those that were disabled by this.
pub(super) async fn disable<'a>(connection: &mut AsyncPgConnection, disabled: &'a [Disabling]) -> QueryResult<Vec<&'a Event>> {
    let statement = Disable {
        id: disabled.iter().map(|one| one.endpoint_id).collect(),
        reason: disabled.iter().map(|one| one.reason.as_str()).collect(),
        failing_since: disabled.iter().map(|one| one.failing_since).collect(),
    };
    let done: Vec<i64> = statement.load(connection).await?;
    Ok(disabled.iter().filter(|one| done.contains(&one.endpoint_id)).filter_map(|one| one.event.as_deref()).collect())
}

pub(super) async fn fail(connection: &mut AsyncPgConnection, failing: &[(i64, Timestamp)]) -> QueryResult<()> {
    let statement = Fail { id: failing.iter().map(|(id, _)| *id).collect(), since: failing.iter().map(|(_, since)| *since).collect() };
    statement.execute(connection).await.map(drop)
}

/// The events of those that recovered by this.
pub(super) async fn recover<'a>(connection: &mut AsyncPgConnection, recovered: &'a [Recovery]) -> QueryResult<Vec<&'a Event>> {
    let statement = Recover { id: recovered.iter().map(|one| one.endpoint_id).collect(), at: recovered.iter().map(|one| one.at).collect() };
    let done: Vec<i64> = statement.load(connection).await?;
    Ok(recovered.iter().filter(|one| done.contains(&one.endpoint_id)).filter_map(|one| one.event.as_deref()).collect())
}

/// Events of our own. This connection says that they are offered by those who record them, so nobody is notified.
pub(super) async fn accept(connection: &mut AsyncPgConnection, events: Vec<&Event>) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    insert_accepted(connection, events).await.map(drop)
}
