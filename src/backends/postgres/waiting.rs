//! Deliveries that wait: found when they are overdue, and loaded for another attempt.

use std::sync::Arc;

use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::events::event_of;
use super::statement::statement;
use super::{FIRST_TIME, Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::delivery::{DeliveryId, Waiting};
use crate::ports::BackendError;

statement! {
    /// `OFFSET 0` keeps these from being made joins: of tables that are small when this is planned for, a join would read every row, and go on
    /// so as they grow. The status is asked for outside, lest an index of what waits, nearly empty when it was looked at last, be read for each key.
    LoadWaiting {
        id: Vec<Uuid> => Array<SqlUuid>,
    } -> (
        SqlUuid, BigInt, Integer, Nullable<Timestamptz>, Text, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Double>,
        Nullable<Timestamptz>, Nullable<Text>
    ) =
        "SELECT d.id, d.endpoint_id, d.attempt_count, d.next_retry_at, d.event_type, d.tenant, d.event_id, e.data::text, e.source, \
         e.version, e.\"timestamp\", e.created_at, left(e.traceparent, 56) FROM unnest(?) AS v (id), \
         LATERAL (SELECT * FROM webhook_deliveries d WHERE d.id = v.id OFFSET 0) AS d \
         LEFT JOIN LATERAL (SELECT * FROM webhook_events e WHERE e.tenant = d.tenant AND e.id = d.event_id OFFSET 0) AS e ON true \
         WHERE d.status IN ('pending', 'retrying')"
}

/// Delivery, endpoint, attempts, due time, type, tenant, event; then what only the event's row has.
type WaitingRow = (
    Uuid,
    i64,
    i32,
    Option<Timestamp>,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<f64>,
    Option<Timestamp>,
    Option<String>,
);

statement! {
    FindOverdue {
        before: Timestamp => Timestamptz,
        from: Timestamp => Timestamptz,
        from_id: Uuid => SqlUuid,
        max: i64 => BigInt,
    } -> (SqlUuid, Timestamptz) =
        "SELECT id, next_retry_at FROM webhook_deliveries WHERE status IN ('pending', 'retrying') AND next_retry_at < ? \
         AND (next_retry_at, id) > (?, ?) ORDER BY next_retry_at, id LIMIT ?"
}

fn waiting_of(row: WaitingRow) -> Waiting {
    let (id, endpoint_id, attempts, due, event_type, tenant, event_id, data, source, version, timestamp, accepted_at, traceparent) = row;
    let own = data.zip(source).zip(version.zip(timestamp)).zip(accepted_at);
    let event = own.map(|(((data, source), (version, timestamp)), at)| {
        Arc::new(event_of((tenant, event_id, event_type.clone(), data, source, version, timestamp, at, traceparent)))
    });
    Waiting {
        id: DeliveryId(id),
        endpoint_id,
        attempt_count: u32::try_from(attempts).unwrap_or(0),
        event_type: event_type.into(),
        next_retry_at: due.unwrap_or(FIRST_TIME),
        event,
    }
}

impl Postgres {
    pub(super) async fn waiting_deliveries(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = LoadWaiting { id: ids.iter().map(|id| id.0).collect() };
        let rows: Vec<WaitingRow> = self.call("load_waiting", statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(waiting_of).collect())
    }

    pub(super) async fn overdue_deliveries(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, DeliveryId)>,
        max: usize,
    ) -> Result<Vec<(DeliveryId, Timestamp)>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = FindOverdue {
            before: in_calendar(before),
            from: from.map_or(FIRST_TIME, |(at, _)| in_calendar(at)),
            from_id: from.map_or(Uuid::nil(), |(_, id)| id.0),
            max: i64::try_from(max).unwrap_or(i64::MAX),
        };
        let rows: Vec<(Uuid, Timestamp)> = self.call("overdue", statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(|(id, at)| (DeliveryId(id), at)).collect())
    }
}
