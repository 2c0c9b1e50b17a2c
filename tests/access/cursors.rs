//! A token that is held to a tenant walks through lists in which nearly all is others': no cursor is another's place, nothing is missing,
//! nothing comes twice, and each page comes in time.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::harness::world::launch;
use crate::harness::{Api, Stores, watchdog};

const ROWS: u32 = 9_000;
const START: u64 = 1_763_757_000_000;
const TOKENS: &str = r#"
[http]
tokens = [{ token = "acme-token-0123456789", tenant = "acme" }, { token = "default-token-0123456789", tenant = "default" }]
"#;
/// Items of a page at most.
const LIMIT: usize = 100;

/// An event with its one delivery.
struct Row {
    number: u32,
    id: Uuid,
    micros: u64,
    tenant: &'static str,
    event_type: &'static str,
    status: &'static str,
}

/// Nearly all lie a millisecond apart; of those between, one half share a millisecond, and some even a part of one. The tenants of all
/// others sort before those that look and after them.
fn row(number: u32) -> Row {
    let (millis, part) = match number {
        3_000..6_000 => (START + 3_000, u64::from(number * 13 % 4_096)),
        6_000..7_500 => (START + 3_001, 5),
        _ => (START + u64::from(number), 0),
    };
    let tenant = match number {
        _ if number % 450 == 7 => "default",
        _ => ["acme", "other", "aaa"][number as usize % 3],
    };
    let is_b = if tenant == "default" || tenant == "acme" { matches!(number % 900, 0 | 7) } else { number.is_multiple_of(5) };
    Row {
        number,
        id: Uuid::from_u64_pair(millis << 16 | 0x8000 | part, 0b10 << 62 | u64::from(number)),
        micros: millis * 1000,
        tenant,
        event_type: if is_b { "b" } else { "a" },
        status: if (number / 450).is_multiple_of(2) { "failed" } else { "delivered" },
    }
}

async fn fill(stores: &Stores, rows: &[Row]) {
    for some in rows.chunks(500) {
        let (mut deliveries, mut events) = (Vec::new(), Vec::new());
        for Row { number, id, micros, tenant, event_type, status } in some {
            let (id, at) = match stores {
                Stores::Production { .. } => (format!("'{id}'"), format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'")),
                Stores::Embedded { .. } => (format!("x'{}'", id.simple()), micros.to_string()),
            };
            deliveries.push(format!("({id}, '{tenant}', 1, 'e{number}', '{event_type}', '{status}', 0, {at})"));
            events.push(format!("('{tenant}', 'e{number}', '{event_type}', '1', {at}, {at})"));
        }
        let columns = "(id, tenant, endpoint_id, event_id, event_type, status, attempt_count, created_at)";
        stores.execute(&format!("INSERT INTO webhook_deliveries {columns} VALUES {}", deliveries.join(", "))).await;
        let columns = "(tenant, id, event_type, data, created_at, routed_at)";
        stores.execute(&format!("INSERT INTO webhook_events {columns} VALUES {}", events.join(", "))).await;
    }
}

/// What a walk came to: the events in order, and each page's length with its cursor.
struct Walk {
    events: Vec<String>,
    pages: Vec<(usize, Option<String>)>,
}

impl Walk {
    async fn through(api: &Api, tenant: &str, list: &str, filter: &str) -> Self {
        let mut walk = Self { events: Vec::new(), pages: Vec::new() };
        let mut cursor = String::new();
        loop {
            let page = api.get(&format!("/api/webhooks/{list}?limit={LIMIT}&{filter}{cursor}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.iter().all(|item| item["tenant"] == tenant), "{page}");
            let event = if list == "events" { "id" } else { "event_id" };
            walk.events.extend(items.iter().map(|item| item[event].as_str().unwrap().to_owned()));
            let next = page["next_cursor"].as_str().map(str::to_owned);
            walk.pages.push((items.len(), next.as_deref().map(decoded)));
            let Some(next) = next else { return walk };
            assert!(walk.pages.len() < 200, "{list} of {tenant} with {filter}: it does not end");
            cursor = format!("&cursor={next}");
        }
    }
}

fn decoded(cursor: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap()
}

/// Asserts that the cursor is the place of nobody else's. Answers the place, which gets smaller from page to page.
fn own_place(cursor: &str, tenant: &str, rows: &[Row]) -> (u64, u128) {
    if let Some(id) = cursor.strip_prefix("deliveries:") {
        let id: Uuid = id.parse().unwrap();
        assert!(rows.iter().all(|row| row.id != id || row.tenant == tenant), "{cursor} is another tenant's");
        return (0, id.as_u128());
    }
    let (micros, key) = cursor.strip_prefix("events:").and_then(|place| place.split_once(':')).unwrap();
    let (of, id) = key.split_once('/').unwrap();
    assert_eq!(of, tenant, "{cursor}");
    let shown = rows.iter().find(|row| format!("e{}", row.number) == id);
    assert!(shown.is_none_or(|row| row.tenant == tenant), "{cursor} is another tenant's");
    (micros.parse().unwrap(), 0)
}

async fn nothing_of_others_is_seen(stores: &Stores) {
    let file = watchdog::directory("settings").join("posthaste.toml");
    std::fs::write(&file, TOKENS).unwrap();
    // Each page looks once, and no further than it must.
    let impatient = ("FAILPOINTS".to_owned(), "impatient=return".to_owned());
    // The rows are older than what is kept.
    let for_ever = ("POSTHASTE__RETENTION__DAYS".to_owned(), "36500".to_owned());
    let process = launch(stores, "api", &[impatient, for_ever]).arg("--config").arg(file.to_str().unwrap()).start().await;
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    fill(stores, &rows).await;
    let filters = [
        "",
        "event_type=a",
        "event_type=b",
        "status=failed",
        "status=delivered",
        "event_type=b&status=failed",
        "event_type=b&status=delivered",
    ];
    let mut short = 0;
    for tenant in ["acme", "default"] {
        let api = process.api().with_token(&format!("{tenant}-token-0123456789"));
        for (list, filter) in
            filters.iter().map(|filter| ("deliveries", *filter)).chain(filters[..3].iter().map(|filter| ("events", *filter)))
        {
            let wanted: HashMap<_, _> = url::form_urlencoded::parse(filter.as_bytes()).into_owned().collect();
            let matches = |row: &&Row| {
                let is = |name: &str, value: &str| wanted.get(name).is_none_or(|wanted| wanted == value);
                row.tenant == tenant && is("event_type", row.event_type) && is("status", row.status)
            };
            let walk = Walk::through(&api, tenant, list, filter).await;
            let found: HashSet<_> = walk.events.iter().cloned().collect();
            let all: BTreeMap<_, _> = rows.iter().filter(matches).map(|row| (row.id, format!("e{}", row.number))).collect();
            assert_eq!(
                (walk.events.len(), found.len()),
                (all.len(), all.len()),
                "{list} of {tenant} with {filter}: none missing, none twice"
            );
            assert!(list == "events" || walk.events.iter().eq(all.values().rev()), "{list} of {tenant} with {filter}: newest first");
            let places: Vec<_> =
                walk.pages.iter().filter_map(|(_, cursor)| cursor.as_deref()).map(|cursor| own_place(cursor, tenant, &rows)).collect();
            assert!(
                list == "events" || places.windows(2).all(|pair| pair[0] > pair[1]),
                "{list} of {tenant} with {filter}: each page gets further"
            );
            // A thousand rows a page, but where many share a time.
            let cut = walk.pages.iter().filter(|(items, next)| *items < LIMIT && next.is_some()).count();
            assert!(cut <= 2 * ROWS as usize / 1_000, "{list} of {tenant} with {filter}: {cut} short pages");
            short += cut;
        }
    }
    assert_eq!(short > 20, matches!(stores, Stores::Production { .. }), "{short} pages ended early");
}

mod no_cursor_of_a_tenants_list_is_the_place_of_anothers {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn in_production() {
        nothing_of_others_is_seen(&Stores::production().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn embedded() {
        nothing_of_others_is_seen(&Stores::Embedded { file: watchdog::directory("sqlite").join("posthaste.sqlite") }).await;
    }
}
