//! `totals`, `endpoint_totals` and `put_totals_together`: they say what the rows say, after whatever happened to them.

use std::sync::Arc;

use posthaste::model::delivery::{DeliveryFilter, DeliveryState, DeliveryView, Status, Totals};
use posthaste::model::event::Event;
use posthaste::ports::{Batch, Records, Routed, Step, Stopping};

use super::backends::{connect, production};
use super::fixtures::{Stand, at, event, event_of, state};
use super::for_both_backends;

for_both_backends! {
    totals_count_what_was_created_in_an_hour_or_later
    endpoints_have_their_totals_in_order
    totals_are_those_of_the_rows_after_every_kind_of_change
}

/// The tests' times begin in the middle of an hour.
const NEXT_HOUR: u32 = 1_800;

async fn totals_count_what_was_created_in_an_hour_or_later(stand: Stand) {
    assert_eq!(stand.records.totals(at(0), None).await.expect("read"), Totals::default());
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint_of("acme", "other").await.id);
    stand.recorded(&event("a", 1), one, Status::Delivered, 1).await;
    stand.recorded(&event("b", NEXT_HOUR), one, Status::Failed, 2).await;
    stand.recorded(&event("c", NEXT_HOUR + 1), one, Status::Pending, 0).await;
    stand.recorded(&event_of("acme", "d", NEXT_HOUR + 3_599), other, Status::Delivered, 1).await;
    let all = Totals { total: 4, delivered: 2, failed: 1, avg_response_time: 0.25 };
    let later = Totals { total: 3, delivered: 1, ..all };
    let acme = Totals { total: 1, delivered: 1, failed: 0, ..all };
    for (since, tenant, wanted) in [
        (at(0), None, all),
        (at(NEXT_HOUR - 1), None, all),
        (at(NEXT_HOUR), None, later),
        (at(NEXT_HOUR + 3_599), None, later),
        (at(NEXT_HOUR + 3_600), None, Totals::default()),
        (at(0), Some("acme"), acme),
        (at(0), Some("default"), Totals { total: 3, delivered: 1, failed: 1, ..all }),
        (at(0), Some("nobody"), Totals::default()),
    ] {
        assert_eq!(stand.records.totals(since, tenant).await.expect("read"), wanted, "{since} {tenant:?}");
    }
}

async fn endpoints_have_their_totals_in_order(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint("other").await.id);
    stand.recorded(&event("a", 1), one, Status::Delivered, 1).await;
    stand.recorded(&event("b", NEXT_HOUR), other, Status::Failed, 2).await;
    let totals = stand.records.endpoint_totals(at(0), &[other, 999_999, one]).await.expect("read");
    let counts: Vec<_> = totals.iter().map(|totals| (totals.total, totals.delivered, totals.failed)).collect();
    assert_eq!(counts, [(1, 0, 1), (0, 0, 0), (1, 1, 0)]);
    let later = stand.records.endpoint_totals(at(NEXT_HOUR), &[one, other]).await.expect("read");
    assert_eq!(later.iter().map(|totals| totals.total).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(stand.records.endpoint_totals(at(0), &[]).await.expect("read"), []);
}

fn counted<'a>(rows: impl Iterator<Item = &'a DeliveryView>) -> Totals {
    let rows: Vec<_> = rows.collect();
    let with = |status| rows.iter().filter(|row| row.status == status).count() as u64;
    let times: Vec<_> = rows.iter().filter_map(|row| row.response_time).collect();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let average = if times.is_empty() { 0.0 } else { times.iter().sum::<f64>() / times.len() as f64 };
    Totals { total: rows.len() as u64, delivered: with(Status::Delivered), failed: with(Status::Failed), avg_response_time: average }
}

#[track_caller]
fn assert_same(found: Totals, wanted: Totals, of: &str) {
    let difference = (found.avg_response_time - wanted.avg_response_time).abs();
    let counts = |totals: Totals| (totals.total, totals.delivered, totals.failed);
    assert!(counts(found) == counts(wanted) && difference < 1e-6, "{of}: {found:?} instead of {wanted:?}");
}

/// All totals say what counting the rows says, before and after they are put together.
async fn check(stand: &Stand, endpoints: &[i64], after: &str) {
    let rows = stand.records.deliveries(&DeliveryFilter::default(), None, 500).await.expect("listed");
    assert_eq!(rows.next, None, "few rows");
    for pass in ["", ", put together"] {
        for since in [at(0), at(NEXT_HOUR)] {
            let rows = || rows.items.iter().filter(|row| row.created_at >= since);
            for tenant in [None, Some("default"), Some("acme")] {
                let own = rows().filter(|row| tenant.is_none_or(|tenant| tenant == row.tenant));
                let found = stand.records.totals(since, tenant).await.expect("read");
                assert_same(found, counted(own), &format!("{tenant:?} since {since} after {after}{pass}"));
            }
            let found = stand.records.endpoint_totals(since, endpoints).await.expect("read");
            for (endpoint, found) in endpoints.iter().zip(found) {
                let own = rows().filter(|row| row.endpoint_id == *endpoint);
                assert_same(found, counted(own), &format!("endpoint {endpoint} since {since} after {after}{pass}"));
            }
        }
        while stand.records.put_totals_together(at(2 * NEXT_HOUR + 3_600), 3).await.expect("put together") {}
    }
}

/// With a response time of its own.
fn took(mut state: DeliveryState, seconds: f64) -> DeliveryState {
    if let Some(last) = &mut state.last {
        last.response_time = seconds;
    }
    state
}

fn routed(event: &Arc<Event>, deliveries: Vec<DeliveryState>) -> Routed {
    Routed { event: Arc::clone(event), accepted: false, deliveries }
}

async fn check_removing(stand: &Stand, endpoints: &[i64]) {
    let mut removed = 0;
    let mut from = None;
    loop {
        let forgotten = stand.records.forget_deliveries(at(NEXT_HOUR), from, 2).await.expect("removed");
        (removed, from) = (removed + forgotten.removed, forgotten.next);
        check(stand, endpoints, "removing").await;
        if from.is_none() {
            break;
        }
    }
    assert!(removed > 2, "{removed}");
}

async fn totals_are_those_of_the_rows_after_every_kind_of_change(stand: Stand) {
    let (one, off) = (stand.endpoint("one").await.id, stand.disabled("off").await);
    let other = stand.endpoint_of("acme", "other").await.id;
    let endpoints = [one, off, other];
    let events: Vec<_> = (0..6).map(|number| event(&format!("e{number}"), number * 700)).collect();
    let acme = event_of("acme", "e0", 5);
    let first = |event: &Event| {
        vec![
            took(state(event, one, Status::Delivered, 1), 0.125),
            took(state(event, off, Status::Retrying, 1), 1.5),
            state(event, other, Status::Pending, 0),
        ]
    };
    let record = async |batch: Batch| stand.records.record(&batch).await.expect("recorded");
    let mut all: Vec<_> = events[..5].iter().map(|event| routed(event, first(event))).collect();
    all.push(routed(&acme, vec![took(state(&acme, other, Status::Failed, 3), 3.000_001)]));
    record(Batch { routed: all.clone(), ..Batch::default() }).await;
    check(&stand, &endpoints, "first states").await;

    // What was recorded comes once more, beside what is new, twice in the batch.
    all.push(routed(&events[5], first(&events[5])));
    all.push(routed(&events[5], first(&events[5])));
    record(Batch { routed: all, ..Batch::default() }).await;
    check(&stand, &endpoints, "conflicts").await;

    let accepted = event("accepted", 9);
    stand.records.accept(std::slice::from_ref(&accepted)).await.expect("accepted");
    stand.route(&accepted, vec![took(state(&accepted, one, Status::Retrying, 1), 0.5)]).await;
    stand.route(&accepted, vec![took(state(&accepted, one, Status::Delivered, 1), 9.0)]).await;
    check(&stand, &endpoints, "an accepted event, routed twice").await;

    let step = |after_attempts, state| Step { after_attempts, state };
    let steps = vec![
        step(1, took(state(&events[0], off, Status::Retrying, 2), 0.75)),
        step(1, took(state(&events[1], off, Status::Delivered, 2), 0.01)),
        step(1, took(state(&events[2], off, Status::Failed, 2), 30.0)),
        step(0, took(state(&events[3], other, Status::Delivered, 1), 0.2)),
        // Parked, without an attempt.
        step(0, state(&events[4], other, Status::Pending, 0)),
        // Somebody else took it.
        step(7, took(state(&events[4], off, Status::Delivered, 8), 7.0)),
    ];
    let told = routed(&event("beside", 11), vec![]);
    record(Batch { steps: steps.clone(), routed: vec![told], ..Batch::default() }).await;
    check(&stand, &endpoints, "steps").await;
    record(Batch { steps, ..Batch::default() }).await;
    check(&stand, &endpoints, "the same steps again").await;

    let stopped = stand.stop(&[off], &[], 500).await;
    assert_eq!(stopped.len(), 4);
    check(&stand, &endpoints, "stopping").await;
    let under_way = vec![
        step(2, took(state(&events[0], off, Status::Delivered, 3), 0.3)),
        step(1, took(state(&events[3], off, Status::Retrying, 2), 0.4)),
    ];
    record(Batch { steps: under_way, ..Batch::default() }).await;
    check(&stand, &endpoints, "attempts under way while stopping").await;

    assert_eq!(stand.records.put_back(&stopped, at(9_000)).await.expect("put back").len(), 3);
    check(&stand, &endpoints, "putting back").await;
    stand.stop(&[off], &[], 1).await;
    check(&stand, &endpoints, "stopping one").await;

    check_removing(&stand, &endpoints).await;
}

/// Everything in the totals that the rows do not say, and the other way round.
const DIFFERENCES: &str = "WITH kept AS (SELECT whose, hour, sum(total) AS total, sum(delivered) AS delivered, sum(failed) AS failed, \
    sum(attempted) AS attempted, sum(response_micros) AS micros FROM webhook_totals GROUP BY whose, hour \
    HAVING (sum(total), sum(delivered), sum(failed), sum(attempted), sum(response_micros)) <> (0, 0, 0, 0, 0)), \
    counted AS (SELECT o.whose, floor(extract(epoch FROM created_at) / 3600)::integer AS hour, count(*)::numeric AS total, \
    count(*) FILTER (WHERE status = 'delivered')::numeric AS delivered, count(*) FILTER (WHERE status = 'failed')::numeric AS failed, \
    count(response_time)::numeric AS attempted, coalesce(sum(round(response_time * 1e6)::bigint), 0) AS micros FROM webhook_deliveries, \
    LATERAL (VALUES (''), ('tenant ' || tenant), ('endpoint ' || endpoint_id)) o (whose) GROUP BY 1, 2) \
    SELECT count(*) FROM ((TABLE kept EXCEPT TABLE counted) UNION ALL (TABLE counted EXCEPT TABLE kept)) AS differences";

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_count_the_same_at_the_same_time_neither_wait_in_a_circle_nor_lose_anything() {
    let production = production().await;
    let workers: Vec<_> = (0..4).map(|_| Arc::new(connect(&production.postgres_url))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, worker) in (0..).zip(workers) {
        tasks.spawn(async move {
            for round in 0..15_u32 {
                // All of them write about the same endpoints and hours, each in another order.
                let event = |n: u32| event(&format!("w{number}-{round}-{n}"), (number + round + n) % 4 * 3_600);
                let events: Vec<_> = (0..6).map(event).collect();
                let retrying = |event: &Event, n: u32| state(event, i64::from((number + n) % 5), Status::Retrying, 1);
                let all = events.iter().zip(0..).map(|(event, n)| routed(event, vec![retrying(event, n)])).collect();
                worker.record(&Batch { routed: all, ..Batch::default() }).await.expect("recorded");
                let step = |(event, n): (&Arc<Event>, u32)| Step {
                    after_attempts: 1,
                    state: took(state(event, i64::from((number + n) % 5), Status::Failed, 2), 0.5),
                };
                let steps = events.iter().zip(0..).map(step).collect();
                let beside = super::fixtures::event(&format!("w{number}-{round}-beside"), round % 4 * 3_600);
                let beside_state = state(&beside, i64::from(round % 5), Status::Delivered, 1);
                let batch = Batch { steps, routed: vec![routed(&beside, vec![beside_state])], ..Batch::default() };
                worker.record(&batch).await.expect("recorded");
                let ids: Vec<_> = events.iter().zip(0..).map(|(event, n)| retrying(event, n).id).collect();
                worker.put_back(&ids, at(90_000)).await.expect("put back");
                worker.put_totals_together(at(90_000), 10).await.expect("put together");
                worker.forget_deliveries(at(3_600), None, 5).await.expect("removed");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("nothing failed");
    }
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    assert_eq!(connection.query_one(DIFFERENCES, &[]).await.expect("counted").get::<_, i64>(0), 0);
    let parts = "SELECT count(DISTINCT part) FROM webhook_totals WHERE part > 0";
    assert!(connection.query_one(parts, &[]).await.expect("counted").get::<_, i64>(0) <= 4, "each recorder has one part");
    // What plain SQL changes counts as well.
    connection
        .batch_execute("UPDATE webhook_deliveries SET status = 'delivered', endpoint_id = 77 WHERE endpoint_id = 3")
        .await
        .expect("changed");
    assert_eq!(connection.query_one(DIFFERENCES, &[]).await.expect("counted").get::<_, i64>(0), 0);
    while production.postgres.put_totals_together(at(90_000), 100).await.expect("put together") {}
    assert_eq!(connection.query_one(DIFFERENCES, &[]).await.expect("counted").get::<_, i64>(0), 0);
    let left = "SELECT count(*) FROM webhook_totals WHERE part >= 0 OR total = 0";
    assert_eq!(connection.query_one(left, &[]).await.expect("counted").get::<_, i64>(0), 0, "all are put together, and none says nothing");
    connection.batch_execute("TRUNCATE webhook_deliveries").await.expect("emptied");
    assert_eq!(connection.query_one(DIFFERENCES, &[]).await.expect("counted").get::<_, i64>(0), 0);
}
