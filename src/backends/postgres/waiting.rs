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
    LoadWaiting {
        id: Vec<Uuid> => Array<SqlUuid>,
    } -> (
        SqlUuid, BigInt, Integer, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<Double>,
        Nullable<Timestamptz>
    ) =
        "SELECT d.id, d.endpoint_id, d.attempt_count, d.tenant, d.event_id, e.event_type, e.data::text, e.source, e.version, \
         e.\"timestamp\", e.created_at FROM unnest(?) AS v (id) JOIN webhook_deliveries d ON d.id = v.id \
         LEFT JOIN webhook_events e ON e.tenant = d.tenant AND e.id = d.event_id WHERE d.status IN ('pending', 'retrying')"
}

type WaitingRow =
    (Uuid, i64, i32, String, String, Option<String>, Option<String>, Option<String>, Option<String>, Option<f64>, Option<Timestamp>);

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

fn waiting_of(row: WaitingRow) -> Option<Waiting> {
    let (id, endpoint_id, attempts, tenant, event_id, Some(event_type), Some(data), Some(source), Some(version), Some(timestamp), Some(at)) =
        row
    else {
        tracing::warn!(delivery_id = %row.0, tenant = row.3, event_id = row.4, "a delivery waits whose event is gone from webhook_events");
        return None;
    };
    let event = event_of((tenant, event_id, event_type, data, source, version, timestamp, at));
    let attempt_count = u32::try_from(attempts).unwrap_or(0);
    Some(Waiting { id: DeliveryId(id), endpoint_id, attempt_count, event: Arc::new(event) })
}

impl Postgres {
    pub(super) async fn waiting_deliveries(&self, ids: &[DeliveryId]) -> Result<Vec<Waiting>, BackendError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = LoadWaiting { id: ids.iter().map(|id| id.0).collect() };
        let rows: Vec<WaitingRow> = self.within(statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().filter_map(waiting_of).collect())
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
        let rows: Vec<(Uuid, Timestamp)> = self.within(statement.load(&mut *connection)).await?;
        Ok(rows.into_iter().map(|(id, at)| (DeliveryId(id), at)).collect())
    }
}
