//! Totals by the hour. What is inserted is counted here, once for each commit; what changes and what goes is counted by the triggers of
//! `migrations/sqlite/*_totals`.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text};

use crate::backends::sqlite::schema::webhook_totals as t;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::number;
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryState, Status, Totals};
use crate::model::event::Event;

diesel::define_sql_function! {
    /// `sum` of integers that stays one: Diesel takes the built-in one to be a decimal number.
    #[aggregate]
    #[sql_name = "SUM"]
    fn whole_sum(x: BigInt) -> Nullable<BigInt>;
}

type Sums = (Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

fn totals_of((total, delivered, failed, attempted, micros): Sums) -> Totals {
    let count = |stored: Option<i64>| number::<u64>(stored.unwrap_or(0));
    Totals {
        total: count(total),
        delivered: count(delivered),
        failed: count(failed),
        avg_response_time: Totals::average(count(attempted), count(micros)),
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn sums() -> _ {
    (whole_sum(t::total), whole_sum(t::delivered), whole_sum(t::failed), whole_sum(t::attempted), whole_sum(t::response_micros))
}

pub(super) fn read(conn: &mut SqliteConnection, since: Timestamp, tenant: Option<&str>) -> Result<Totals, Trouble> {
    let mut query = t::table.filter(t::hour.ge(Totals::hour_of(since))).select(sums()).into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(t::tenant.eq(tenant));
    }
    Ok(totals_of(query.first(conn)?))
}

/// In one pass over the hours: they are few.
pub(super) fn of_endpoints(conn: &mut SqliteConnection, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, Trouble> {
    let rows: Vec<(i64, Sums)> = t::table
        .filter(t::hour.ge(Totals::hour_of(since)))
        .filter(t::endpoint_id.eq_any(endpoints))
        .group_by(t::endpoint_id)
        .select((t::endpoint_id, sums()))
        .load(conn)?;
    let found: HashMap<_, _> = rows.into_iter().map(|(id, sums)| (id, totals_of(sums))).collect();
    Ok(endpoints.iter().map(|id| found.get(id).copied().unwrap_or_default()).collect())
}

/// New deliveries of one commit.
#[derive(Default)]
pub(super) struct New(HashMap<Place, Counts>);

/// Where they are counted.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    hour: i64,
    endpoint_id: i64,
    tenant: Arc<str>,
}

#[derive(Default)]
struct Counts {
    total: i64,
    delivered: i64,
    failed: i64,
    attempted: i64,
    response_micros: i64,
}

impl New {
    pub(super) fn add(&mut self, event: &Event, state: &DeliveryState) {
        let place =
            Place { hour: Totals::hour_of(event.accepted_at), endpoint_id: state.endpoint_id, tenant: Arc::clone(&event.key.tenant) };
        let counts = self.0.entry(place).or_default();
        counts.total += 1;
        counts.delivered += i64::from(state.status == Status::Delivered);
        counts.failed += i64::from(state.status == Status::Failed);
        if let Some(last) = &state.last {
            counts.attempted += 1;
            counts.response_micros += micros(last.response_time);
        }
    }

    pub(super) fn write(self, conn: &mut SqliteConnection) -> Result<(), Trouble> {
        for (place, counts) in self.0 {
            Add { place, counts }.execute(conn)?;
        }
        Ok(())
    }
}

/// Of seconds, exactly as SQLite's `ROUND` has it, for what is counted here is taken off by triggers.
#[expect(clippy::cast_possible_truncation, reason = "no attempt lasts for 2^53 microseconds")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6 + 0.5) as i64
}

/// Diesel would parse its own insert anew for each place.
struct Add {
    place: Place,
    counts: Counts,
}

impl QueryId for Add {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<diesel::sqlite::Sqlite> for Add {
    fn walk_ast<'pass>(&'pass self, mut out: AstPass<'_, 'pass, diesel::sqlite::Sqlite>) -> QueryResult<()> {
        let Self { place, counts } = self;
        out.push_sql(
            "INSERT INTO webhook_totals (hour, endpoint_id, total, delivered, failed, attempted, response_micros, tenant) VALUES (",
        );
        for number in
            [&place.hour, &place.endpoint_id, &counts.total, &counts.delivered, &counts.failed, &counts.attempted, &counts.response_micros]
        {
            out.push_bind_param::<BigInt, _>(number)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Text, _>(&*place.tenant)?;
        out.push_sql(
            ") ON CONFLICT (hour, endpoint_id, tenant) DO UPDATE SET total = total + excluded.total, \
             delivered = delivered + excluded.delivered, failed = failed + excluded.failed, attempted = attempted + excluded.attempted, \
             response_micros = response_micros + excluded.response_micros",
        );
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Add {}
