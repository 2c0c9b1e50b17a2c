//! Removes what is over and old, page by page. Rows that somebody else holds are passed over, so it waits for nobody, and
//! nobody for it.

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{FIRST_TIME, Postgres, in_calendar};
use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::model::event::{EventKey, intern_tenant};
use crate::ports::{BackendError, Forgotten};

statement! {
    /// `= ANY` of an array, and no join: the planner then goes to these rows, whatever it thinks of the table's size.
    ForgetDeliveries {
        from: Uuid => SqlUuid,
        end: Uuid => SqlUuid,
        max: i64 => BigInt,
        before: Timestamp => Timestamptz,
    } -> (BigInt, BigInt, Nullable<SqlUuid>) =
        "WITH page AS MATERIALIZED (SELECT id FROM webhook_deliveries WHERE id > ? AND id < ? ORDER BY id LIMIT ?), \
         old AS MATERIALIZED (SELECT id FROM webhook_deliveries WHERE id = ANY (ARRAY(SELECT id FROM page)) \
         AND status IN ('delivered', 'failed') AND coalesce(last_attempt_at, created_at) < ? FOR UPDATE SKIP LOCKED), \
         past AS (DELETE FROM webhook_past_attempts WHERE delivery_id = ANY (ARRAY(SELECT id FROM old))), \
         gone AS (DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY(SELECT id FROM old)) RETURNING 1) \
         SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM page), (SELECT id FROM page ORDER BY id DESC LIMIT 1)"
}

statement! {
    OldEvents<'a> {
        before: Timestamp => Timestamptz,
        from: Timestamp => Timestamptz,
        from_tenant: &'a str => Text,
        from_id: &'a str => Text,
        max: i64 => BigInt,
    } -> (Text, Text, Timestamptz) =
        "SELECT tenant, id, created_at FROM webhook_events WHERE created_at < ? AND (created_at, tenant, id) > (?, ?, ?) \
         ORDER BY created_at, tenant, id LIMIT ?"
}

statement! {
    /// `created_at` once more: what was routed meanwhile may have got another one, and then its deliveries lie elsewhere.
    ForgetEvents<'a> {
        tenant: Vec<&'a str> => Array<Text>,
        id: Vec<&'a str> => Array<Text>,
        created_at: Vec<Timestamp> => Array<Timestamptz>,
        first: Vec<Uuid> => Array<SqlUuid>,
        last: Vec<Uuid> => Array<SqlUuid>,
    } -> Integer =
        "WITH old AS MATERIALIZED (SELECT e.tenant, e.id FROM unnest(?, ?, ?, ?, ?) AS v (tenant, id, created_at, first, last) \
         CROSS JOIN LATERAL (SELECT * FROM webhook_events e WHERE e.tenant = v.tenant AND e.id = v.id OFFSET 0 FOR UPDATE SKIP LOCKED) AS e \
         WHERE e.routed_at IS NOT NULL AND e.created_at = v.created_at \
         AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.id BETWEEN v.first AND v.last OFFSET 0)) \
         DELETE FROM webhook_events e USING old WHERE e.tenant = old.tenant AND e.id = old.id RETURNING 1"
}

impl Postgres {
    pub(super) async fn forget_old_deliveries(
        &self,
        before: Timestamp,
        from: Option<DeliveryId>,
        max: usize,
    ) -> Result<Forgotten<DeliveryId>, BackendError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let statement = ForgetDeliveries {
            from: from.map_or(Uuid::nil(), |id| id.0),
            end: DeliveryId::first_at(before).0,
            max,
            before: in_calendar(before),
        };
        let mut connection = self.pooled().await?;
        let (gone, looked_at, last): (i64, i64, Option<Uuid>) = self.within(statement.get_result(&mut *connection)).await?;
        Ok(Forgotten { removed: gone.cast_unsigned(), next: last.filter(|_| looked_at == max).map(DeliveryId) })
    }

    pub(super) async fn forget_old_events(
        &self,
        before: Timestamp,
        from: Option<&(Timestamp, EventKey)>,
        max: usize,
    ) -> Result<Forgotten<(Timestamp, EventKey)>, BackendError> {
        let statement = OldEvents {
            before: in_calendar(before),
            from: from.map_or(FIRST_TIME, |(at, _)| in_calendar(*at)),
            from_tenant: from.map_or("", |(_, key)| &key.tenant),
            from_id: from.map_or("", |(_, key)| &key.id),
            max: i64::try_from(max).unwrap_or(i64::MAX),
        };
        let mut connection = self.pooled().await?;
        let rows: Vec<(String, String, Timestamp)> = self.within(statement.load(&mut *connection)).await?;
        let page: Vec<_> =
            rows.into_iter().map(|(tenant, id, at)| (at, EventKey { tenant: intern_tenant(&tenant), id: id.into() })).collect();
        if page.is_empty() {
            return Ok(Forgotten { removed: 0, next: None });
        }
        let ranges: Vec<_> = page.iter().map(|(at, key)| DeliveryId::range_of(*at, key)).collect();
        let statement = ForgetEvents {
            tenant: page.iter().map(|(_, key)| &*key.tenant).collect(),
            id: page.iter().map(|(_, key)| &*key.id).collect(),
            created_at: page.iter().map(|(at, _)| *at).collect(),
            first: ranges.iter().map(|(first, _)| first.0).collect(),
            last: ranges.iter().map(|(_, last)| last.0).collect(),
        };
        let gone: Vec<i32> = self.within(statement.load(&mut *connection)).await?;
        let full = page.len() == max;
        Ok(Forgotten { removed: gone.len() as u64, next: page.into_iter().next_back().filter(|_| full) })
    }
}
