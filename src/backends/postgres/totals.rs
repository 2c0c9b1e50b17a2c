//! Counts over a period.

use diesel::sql_types::{Array, BigInt, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryId, Totals};
use crate::ports::BackendError;

macro_rules! counts {
    () => {
        "count(d.id), count(*) FILTER (WHERE d.status = 'delivered'), count(*) FILTER (WHERE d.status = 'failed'), \
         coalesce(avg(d.response_time), 0)"
    };
}

statement! {
    CountAll<'a> {
        first: Uuid => SqlUuid,
        since: Timestamp => Timestamptz,
        tenant: Option<&'a str> => Nullable<Text>,
    } -> (BigInt, BigInt, BigInt, Double) = concat!(
        "SELECT ", counts!(), " FROM webhook_deliveries d WHERE d.id >= ? AND d.created_at >= ? AND coalesce(d.tenant = ?, true)"
    )
}

statement! {
    CountByEndpoint {
        endpoint: Vec<i64> => Array<BigInt>,
        first: Uuid => SqlUuid,
        since: Timestamp => Timestamptz,
    } -> (BigInt, BigInt, BigInt, Double) = concat!(
        "SELECT t.* FROM unnest(?) WITH ORDINALITY AS v (endpoint_id, place), LATERAL (SELECT ", counts!(),
        " FROM webhook_deliveries d WHERE d.endpoint_id = v.endpoint_id AND d.id >= ? AND d.created_at >= ?) t ORDER BY v.place"
    )
}

fn totals_of((total, delivered, failed, avg_response_time): (i64, i64, i64, f64)) -> Totals {
    Totals { total: total.cast_unsigned(), delivered: delivered.cast_unsigned(), failed: failed.cast_unsigned(), avg_response_time }
}

impl Postgres {
    pub(super) async fn count_deliveries(&self, since: Timestamp, tenant: Option<&str>) -> Result<Totals, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = CountAll { first: DeliveryId::first_at(since).0, since: in_calendar(since), tenant };
        self.within(statement.get_result(&mut *connection)).await.map(totals_of)
    }

    pub(super) async fn count_by_endpoint(&self, since: Timestamp, endpoints: &[i64]) -> Result<Vec<Totals>, BackendError> {
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = CountByEndpoint { endpoint: endpoints.to_vec(), first: DeliveryId::first_at(since).0, since: in_calendar(since) };
        let rows: Vec<(i64, i64, i64, f64)> = self.within(statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(totals_of).collect())
    }
}
