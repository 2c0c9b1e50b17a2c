//! What is asked: every list with each filter, several at once, and totals.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::filled::sample::{RARE_ENDPOINT, RARE_TENANT, RARE_TYPE};
use crate::harness::postgres::Connection;

/// Rows that lie before the ten-thousandth page.
const DEEP: i64 = 9_999 * 50;

/// One call, at the beginning of its list and deep in it.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) path: String,
    /// The same with the cursor of the ten-thousandth page, or of the last one where there are fewer; with that page's number.
    pub(crate) deep: Option<(String, i64)>,
}

/// Name, query, and the same as SQL.
type Filter<'a> = (&'a str, String, String);

fn filters(event: &str, [since, hour, until]: [&str; 3]) -> Vec<Filter<'static>> {
    let by = |name, query: &str, sql: &str| (name, query.to_owned(), sql.to_owned());
    vec![
        by("everything", "", "true"),
        by("tenant: the largest", "tenant=tenant-001", "tenant = 'tenant-001'"),
        by("tenant: default", "tenant=default", "tenant = 'default'"),
        by("tenant: rare", &format!("tenant={RARE_TENANT}"), &format!("tenant = '{RARE_TENANT}'")),
        by("tenant: nobody", "tenant=nobody", "tenant = 'nobody'"),
        by("endpoint: busy", "endpoint_id=7", "endpoint_id = 7"),
        by("endpoint: rare", &format!("endpoint_id={RARE_ENDPOINT}"), &format!("endpoint_id = {RARE_ENDPOINT}")),
        by("endpoint: none", "endpoint_id=999999", "false"),
        by("event", &format!("event_id={event}"), &format!("event_id = '{event}'")),
        by("event and tenant", &format!("event_id={event}&tenant=tenant-001"), "false"),
        by("event: none", "event_id=nothing", "false"),
        by("type: common", "event_type=order.created", "event_type = 'order.created'"),
        by("type: 1 in 1,000", "event_type=account.closed", "event_type = 'account.closed'"),
        by("type: 1 in 200,000", &format!("event_type={RARE_TYPE}"), &format!("event_type = '{RARE_TYPE}'")),
        by("type: none", "event_type=nothing", "false"),
        by("status: delivered", "status=delivered", "status = 'delivered'"),
        by("status: failed", "status=failed", "status = 'failed'"),
        by("status: retrying", "status=retrying", "status = 'retrying'"),
        by("status: pending", "status=pending", "status = 'pending'"),
        by("until: half", &format!("until={until}"), &format!("created_at < '{until}'")),
        by("since: half", &format!("since={since}"), &format!("created_at >= '{since}'")),
        by(
            "an hour, and failed",
            &format!("since={since}&until={hour}&status=failed"),
            &format!("status = 'failed' AND created_at >= '{since}' AND created_at < '{hour}'"),
        ),
        by(
            "an hour, type, tenant",
            &format!("since={since}&until={hour}&event_type=order.paid&tenant=tenant-002"),
            &format!("event_type = 'order.paid' AND tenant = 'tenant-002' AND created_at >= '{since}' AND created_at < '{hour}'"),
        ),
        by("tenant and failed", "tenant=tenant-001&status=failed", "tenant = 'tenant-001' AND status = 'failed'"),
        by("rare tenant and pending", &format!("tenant={RARE_TENANT}&status=pending"), "false"),
        by("rare tenant and type", &format!("tenant={RARE_TENANT}&event_type=order.created"), "false"),
        by("tenant and rare type", &format!("tenant=tenant-001&event_type={RARE_TYPE}"), "false"),
        by("default and rare type", &format!("tenant=default&event_type={RARE_TYPE}"), "false"),
        by("endpoint and failed", "endpoint_id=7&status=failed", "endpoint_id = 7 AND status = 'failed'"),
        by("endpoint and delivered", "endpoint_id=7&status=delivered", "endpoint_id = 7 AND status = 'delivered'"),
        by("endpoint and type", "endpoint_id=7&event_type=order.refunded", "endpoint_id = 7 AND event_type = 'order.refunded'"),
        by("endpoint and rare type", &format!("endpoint_id=7&event_type={RARE_TYPE}"), "false"),
        by("type and failed", "event_type=account.closed&status=failed", "event_type = 'account.closed' AND status = 'failed'"),
        by("type and delivered", "event_type=order.paid&status=delivered", "event_type = 'order.paid' AND status = 'delivered'"),
        by("somebody else's endpoint", "endpoint_id=7&tenant=tenant-400", "false"),
        by("500 at once", "limit=500", "true"),
    ]
}

pub(crate) async fn all(sql: &Connection) -> Vec<Asked> {
    let text = async |statement: &str| sql.query_one(statement, &[]).await.expect("PostgreSQL runs").get::<_, String>(0);
    let middle = "SELECT to_char(min(created_at) + (max(created_at) - min(created_at)) / 2 + interval '$1', \
                  'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM webhook_deliveries";
    sql.batch_execute("SET timezone TO 'UTC'").await.expect("anybody may");
    let since = text(&middle.replace("$1", "0 hours")).await;
    let hour = text(&middle.replace("$1", "1 hour")).await;
    let event = text("SELECT event_id FROM webhook_deliveries ORDER BY id OFFSET 5000 LIMIT 1").await;
    let mut asked = Vec::new();
    for (name, query, matching) in filters(&event, [&since, &hour, &since]) {
        let path = format!("/api/webhooks/deliveries?{query}");
        let deep = deep(sql, &matching).await.map(|(id, page)| (format!("{path}&cursor={}", cursor("deliveries", &id)), page));
        asked.push(Asked { name: format!("deliveries, {name}"), path, deep });
    }
    let at = "SELECT floor(extract(epoch FROM created_at) * 1e6)::bigint::text || ':' || tenant || '/' || id FROM webhook_events \
              ORDER BY created_at DESC, tenant DESC, id DESC OFFSET 499949 LIMIT 1";
    let far = sql.query_opt(at, &[]).await.expect("PostgreSQL runs").map(|row| row.get::<_, String>(0));
    for (name, query) in [
        ("everything", String::new()),
        ("tenant: the largest", "tenant=tenant-001".to_owned()),
        ("tenant: rare", format!("tenant={RARE_TENANT}")),
        ("tenant: default", "tenant=default".to_owned()),
        ("type: common", "event_type=order.created".to_owned()),
        ("type: 1 in 1,000", "event_type=account.closed".to_owned()),
        ("type: 1 in 200,000", format!("event_type={RARE_TYPE}")),
        ("source: none", "source=nobody".to_owned()),
        ("until: half", format!("until={since}")),
    ] {
        let path = format!("/api/webhooks/events?{query}");
        let deep = far.as_ref().map(|key| (format!("{path}&cursor={}", cursor("events", key)), 10_000));
        asked.push(Asked { name: format!("events, {name}"), path, deep });
    }
    for (name, path) in [
        ("endpoints", "/api/webhooks/endpoints?"),
        ("endpoints, 500 at once", "/api/webhooks/endpoints?limit=500"),
        ("endpoints, tenant", "/api/webhooks/endpoints?tenant=tenant-001"),
        ("stats, an hour", "/api/webhooks/stats?hours=1"),
        ("stats, a day", "/api/webhooks/stats?hours=24"),
        ("stats, a year", "/api/webhooks/stats?hours=8784"),
        ("stats, a year, tenant", "/api/webhooks/stats?hours=8784&tenant=tenant-001"),
    ] {
        asked.push(Asked { name: name.to_owned(), path: path.to_owned(), deep: None });
    }
    asked
}

/// The row that the ten-thousandth page comes after, or the last page of what matches, and that page's number.
async fn deep(sql: &Connection, matching: &str) -> Option<(String, i64)> {
    let counted = format!("SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE {matching} LIMIT {}) AS found", DEEP + 51);
    let count: i64 = sql.query_one(&counted, &[]).await.expect("PostgreSQL runs").get(0);
    let before = DEEP.min((count - 1) / 50 * 50);
    if before <= 0 {
        return None;
    }
    let found = format!("SELECT id::text FROM webhook_deliveries WHERE {matching} ORDER BY id DESC OFFSET {} LIMIT 1", before - 1);
    Some((sql.query_one(&found, &[]).await.expect("PostgreSQL runs").get(0), before / 50 + 1))
}

/// As the API makes them. That it does is checked with the first page.
fn cursor(list: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{key}"))
}
