//! Whole endpoints' deliveries at once: stopped when nobody may send them, and put back.

use async_trait::async_trait;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{FIRST_TIME, LAST_TIME, Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::ports::{BackendError, StoppedDelivery, Stopping, Window};

statement! {
    /// Hops from endpoint to endpoint in the index: however much waits for one, it costs one look.
    FindWaitedFor {
        from: i64 => BigInt,
        max: i64 => BigInt,
    } -> BigInt =
        "WITH RECURSIVE hops AS ((SELECT endpoint_id FROM webhook_deliveries WHERE status IN ('pending', 'retrying') \
         AND endpoint_id > ? ORDER BY endpoint_id LIMIT 1) UNION ALL \
         SELECT (SELECT d.endpoint_id FROM webhook_deliveries d WHERE d.status IN ('pending', 'retrying') \
         AND d.endpoint_id > h.endpoint_id ORDER BY d.endpoint_id LIMIT 1) FROM hops h WHERE h.endpoint_id IS NOT NULL) \
         SELECT endpoint_id FROM hops WHERE endpoint_id IS NOT NULL LIMIT ?"
}

statement! {
    /// A row that somebody is writing is skipped: waiting for it could go in a circle, and it is about to change anyway.
    StopWaiting<'a> {
        endpoint_id: Vec<i64> => Array<BigInt>,
        reason: Vec<&'a str> => Array<Text>,
        except: Vec<Uuid> => Array<SqlUuid>,
        max_of_one: i64 => BigInt,
        max: i64 => BigInt,
    } -> (SqlUuid, Text) =
        "WITH v AS (SELECT * FROM unnest(?, ?) AS v (endpoint_id, reason) WHERE NOT EXISTS (SELECT 1 FROM webhook_endpoints e \
         WHERE e.id = v.endpoint_id AND e.is_active AND e.deleted_at IS NULL)), \
         waiting AS MATERIALIZED (SELECT w.id, v.reason FROM v CROSS JOIN LATERAL (SELECT d.id FROM webhook_deliveries d \
         WHERE d.endpoint_id = v.endpoint_id AND d.status IN ('pending', 'retrying') AND d.id <> ALL (?) \
         ORDER BY d.id LIMIT ? FOR UPDATE SKIP LOCKED) w LIMIT ?) \
         UPDATE webhook_deliveries d SET status = 'failed', next_retry_at = NULL, error_message = w.reason, \
         attempt_error = CASE WHEN d.last_attempt_at IS NOT NULL THEN coalesce(d.error_message, '') END \
         FROM waiting w WHERE d.id = w.id RETURNING d.id, d.event_type"
}

statement! {
    FindFailed {
        endpoint: i64 => BigInt,
        from: Uuid => SqlUuid,
        first: Uuid => SqlUuid,
        end: Uuid => SqlUuid,
        since: Timestamp => Timestamptz,
        until: Timestamp => Timestamptz,
        max: i64 => BigInt,
    } -> SqlUuid =
        "SELECT id FROM webhook_deliveries WHERE endpoint_id = ? AND status = 'failed' AND id > ? AND id >= ? AND id <= ? \
         AND created_at >= ? AND created_at < ? ORDER BY id LIMIT ?"
}

statement! {
    /// The status is asked for outside of what locks the rows: an index of what failed, nearly empty when it was looked at last, must not look as
    /// good as the ids. What is locked is as it is now, so the update need not ask again.
    PutBack {
        id: Vec<Uuid> => Array<SqlUuid>,
        due: Timestamp => Timestamptz,
    } -> SqlUuid =
        "WITH failed AS MATERIALIZED (SELECT d.id FROM \
         (SELECT * FROM webhook_deliveries WHERE id = ANY (?) ORDER BY id OFFSET 0 FOR UPDATE) d WHERE d.status = 'failed' \
         AND EXISTS (SELECT 1 FROM webhook_events e WHERE e.tenant = d.tenant AND e.id = d.event_id OFFSET 0)) \
         UPDATE webhook_deliveries d SET status = CASE WHEN d.attempt_count = 0 THEN 'pending' ELSE 'retrying' END, \
         next_retry_at = ?, attempt_error = NULL, \
         error_message = CASE WHEN d.last_attempt_at IS NOT NULL THEN coalesce(d.attempt_error, d.error_message) END \
         WHERE d.id = ANY (ARRAY(SELECT id FROM failed)) RETURNING d.id"
}

fn rows(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

fn uuids(ids: &[DeliveryId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}

#[async_trait]
impl Stopping for Postgres {
    async fn waited_for(&self, from: Option<i64>, max: usize) -> Result<Vec<i64>, BackendError> {
        let mut connection = self.pooled().await?;
        let statement = FindWaitedFor { from: from.unwrap_or(i64::MIN), max: rows(max) };
        self.within(statement.load(&mut *connection)).await
    }

    async fn stop_waiting(
        &self,
        endpoints: &[(i64, String)],
        except: &[DeliveryId],
        max: usize,
    ) -> Result<Vec<StoppedDelivery>, BackendError> {
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = StopWaiting {
            endpoint_id: endpoints.iter().map(|(id, _)| *id).collect(),
            reason: endpoints.iter().map(|(_, reason)| reason.as_str()).collect(),
            except: uuids(except),
            max_of_one: rows(max),
            max: rows(max),
        };
        let stopped: Vec<(Uuid, String)> = self.within(statement.load(&mut *connection)).await?;
        Ok(stopped.into_iter().map(|(id, event_type)| StoppedDelivery { id: DeliveryId(id), event_type: event_type.into() }).collect())
    }

    async fn failed(&self, endpoint: i64, window: Window, from: Option<DeliveryId>, max: usize) -> Result<Vec<DeliveryId>, BackendError> {
        let mut connection = self.pooled().await?;
        // Ids carry milliseconds: they find the neighbourhood, and created_at has the exact border.
        let next_millisecond = |until| DeliveryId::first_at(crate::model::clock::after(until, std::time::Duration::from_millis(1))).0;
        let statement = FindFailed {
            endpoint,
            from: from.map_or(Uuid::nil(), |from| from.0),
            first: window.since.map_or(Uuid::nil(), |since| DeliveryId::first_at(since).0),
            end: window.until.map_or(Uuid::max(), next_millisecond),
            since: in_calendar(window.since.unwrap_or(FIRST_TIME)),
            until: in_calendar(window.until.unwrap_or(LAST_TIME)),
            max: rows(max),
        };
        let found: Vec<Uuid> = self.within(statement.load(&mut *connection)).await?;
        Ok(found.into_iter().map(DeliveryId).collect())
    }

    async fn put_back(&self, ids: &[DeliveryId], due: Timestamp) -> Result<Vec<DeliveryId>, BackendError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pooled().await?;
        let statement = PutBack { id: uuids(ids), due: in_calendar(due) };
        let back: Vec<Uuid> = self.within(statement.load(&mut *connection)).await?;
        Ok(back.into_iter().map(DeliveryId).collect())
    }
}
