//! Lists of Postgres that are longer than one look: what is rare is found, however long it takes, and nothing twice.

use posthaste::model::delivery::{DeliveryFilter, Status};
use posthaste::model::event_view::EventFilter;

use super::backends::production;
use super::fixtures::Stand;

/// More than all looks of one page together have time for on a fast machine would take minutes to insert; these are more than one.
const ROWS: i32 = 20_000;

/// Ids and times as ours: a millisecond apart. Nearly all are alike.
const FILL: &str = "INSERT INTO webhook_deliveries (id, endpoint_id, created_at, attempt_count, status, tenant, event_id, event_type) \
    SELECT (lpad(to_hex(1763757000000 + n), 12, '0') || '80008000' || lpad(to_hex(n), 12, '0'))::uuid, n % 2 + 1, \
    timestamptz 'epoch' + (1763757000000 + n) * interval '1 millisecond', 0, CASE WHEN n % 9999 = 7 THEN 'failed' ELSE 'delivered' END, \
    CASE WHEN n < 10 THEN 'rare' WHEN n % 2 = 1 THEN 'acme' ELSE 'default' END, 'e' || n, \
    CASE WHEN n % 7000 = 6 THEN 'order.rare' ELSE 'order.created' END FROM generate_series(0, $1::integer - 1) n";
const FILL_EVENTS: &str = "INSERT INTO webhook_events (tenant, id, event_type, data, created_at, routed_at) \
    SELECT tenant, event_id, event_type, '1', created_at, created_at FROM webhook_deliveries";

/// Whether the row of that number is in the list.
type Matches = fn(i32) -> bool;

/// The numbers of all that the list shows, over all its pages, and the number of pages.
async fn all(stand: &Stand, filter: &DeliveryFilter, limit: u32) -> (Vec<i32>, u32) {
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = stand.records.deliveries(filter, after, limit).await.expect("listed");
        found.extend(page.items.iter().map(|view| view.event_id[1..].parse::<i32>().expect("a number")));
        pages += 1;
        assert!(page.items.len() <= limit as usize);
        assert!(page.next.is_none() || after.is_none() || page.next < after, "each page gets further");
        after = page.next;
        if after.is_none() {
            return (found, pages);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rare_in_a_long_list_is_found_and_nothing_twice() {
    let production = production().await;
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    connection.execute(FILL, &[&ROWS]).await.expect("inserted");
    connection.batch_execute(FILL_EVENTS).await.expect("inserted");
    connection.batch_execute("ANALYZE").await.expect("analyzed");
    let any = DeliveryFilter::default;
    let tenant = |name: &str| DeliveryFilter { tenant: Some(name.into()), ..any() };
    let rare_type = |filter: DeliveryFilter| DeliveryFilter { event_type: Some("order.rare".into()), ..filter };
    let table: [(DeliveryFilter, Matches); 14] = [
        (any(), |_| true),
        (tenant("rare"), |n| n < 10),
        (tenant("acme"), |n| n >= 10 && n % 2 == 1),
        (tenant("default"), |n| n >= 10 && n % 2 == 0),
        (rare_type(any()), |n| n % 7000 == 6),
        (rare_type(tenant("default")), |n| n >= 10 && n % 7000 == 6),
        (rare_type(tenant("acme")), |_| false),
        (rare_type(DeliveryFilter { endpoint_id: Some(1), ..any() }), |n| n % 7000 == 6),
        (DeliveryFilter { status: Some(Status::Failed), ..any() }, |n| n % 9999 == 7),
        (DeliveryFilter { status: Some(Status::Failed), endpoint_id: Some(2), ..any() }, |n| n % 9999 == 7 && n % 2 == 1),
        (DeliveryFilter { status: Some(Status::Delivered), ..tenant("rare") }, |n| n < 10 && n != 7),
        (DeliveryFilter { status: Some(Status::Failed), ..tenant("default") }, |n| n >= 10 && n % 9999 == 7 && n % 2 == 0),
        (DeliveryFilter { status: Some(Status::Failed), ..rare_type(any()) }, |_| false),
        (DeliveryFilter { status: Some(Status::Pending), ..any() }, |_| false),
    ];
    for (filter, matches) in table {
        let wanted: Vec<_> = (0..ROWS).rev().filter(|n| matches(*n)).collect();
        for limit in [500, 7].into_iter().filter(|limit| *limit == 500 || wanted.len() < 100) {
            let (found, _) = all(&production.stand, &filter, limit).await;
            assert!(found == wanted, "{} instead of {} with {filter:?}", found.len(), wanted.len());
        }
    }
    let of_type = |event_type: &str| EventFilter { event_type: Some(event_type.into()), ..EventFilter::default() };
    for (filter, wanted) in [(of_type("order.rare"), vec!["e14006", "e7006", "e6"]), (of_type("order.none"), vec![])] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = production.stand.records.events(&filter, after.as_ref(), 2).await.expect("listed");
            found.extend(page.items.iter().map(|view| view.key.id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, wanted, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_tenant_has_an_empty_list_and_no_further_page() {
    let production = production().await;
    let own = production.stand.endpoint_of("acme", "own").await.id;
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    connection.execute(FILL, &[&5_000]).await.expect("inserted");
    connection.execute("UPDATE webhook_deliveries SET endpoint_id = $1", &[&own]).await.expect("changed");
    let filter = DeliveryFilter { tenant: Some("other".into()), endpoint_id: Some(own), ..DeliveryFilter::default() };
    assert_eq!(all(&production.stand, &filter, 50).await, (vec![], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_window_of_a_long_list_is_read_alone() {
    let production = production().await;
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    connection.execute(FILL, &[&ROWS]).await.expect("inserted");
    connection.batch_execute(FILL_EVENTS).await.expect("inserted");
    connection.batch_execute("VACUUM ANALYZE").await.expect("vacuumed");
    // The last hundred rows.
    let since = Some(posthaste::model::clock::from_unix_seconds(1_763_757_000.0 + f64::from(ROWS - 100) / 1000.0));
    let any = || DeliveryFilter { since, ..DeliveryFilter::default() };
    let table = [
        ("webhook_deliveries_of_type", DeliveryFilter { event_type: Some("order.created".into()), ..any() }, 100),
        ("webhook_deliveries_of_tenant", DeliveryFilter { tenant: Some("acme".into()), ..any() }, 50),
        ("webhook_deliveries_of_endpoint", DeliveryFilter { endpoint_id: Some(1), ..any() }, 50),
    ];
    for (index, filter, wanted) in table {
        let statement = "SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = $1";
        let used = async || {
            let row = connection.query_one(statement, &[&index]).await.expect("an index of ours");
            (row.get::<_, i64>(0), row.get::<_, i64>(1))
        };
        let before = used().await;
        // The server writes down what was read a second late, and only when something is asked again.
        let read = crate::harness::eventually(crate::harness::LONG, async || {
            let (found, pages) = all(&production.stand, &filter, 500).await;
            assert_eq!((found.len(), pages), (wanted, 1), "{filter:?}");
            let (scans, read) = used().await;
            (scans > before.0).then(|| (read - before.1) / (scans - before.0))
        })
        .await;
        assert!(read <= 200, "{read} entries of {index} were read for {wanted} rows");
    }
}
