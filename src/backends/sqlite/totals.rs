//! Totals by the hour. The triggers of `migrations/sqlite/*_totals` keep them; here they are read.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::backends::sqlite::schema::webhook_totals as t;
use crate::backends::sqlite::trouble::Trouble;
use crate::backends::sqlite::values::number;
use crate::model::clock::Timestamp;
use crate::model::delivery::Totals;

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
