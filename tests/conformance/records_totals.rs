//! `totals` and `endpoint_totals`.

use posthaste::model::delivery::{Status, Totals};

use super::fixtures::{Stand, at, event, event_of};
use super::for_both_backends;

for_both_backends! {
    totals_count_what_was_created_at_a_time_or_later
    endpoints_have_their_totals_in_order
}

async fn totals_count_what_was_created_at_a_time_or_later(stand: Stand) {
    assert_eq!(stand.records.totals(at(0), None).await.expect("read"), Totals::default());
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint_of("acme", "other").await.id);
    stand.recorded(&event("a", 1), one, Status::Delivered, 1).await;
    stand.recorded(&event("b", 2), one, Status::Failed, 2).await;
    stand.recorded(&event("c", 3), one, Status::Pending, 0).await;
    stand.recorded(&event_of("acme", "d", 3), other, Status::Delivered, 1).await;
    let all = Totals { total: 4, delivered: 2, failed: 1, avg_response_time: 0.25 };
    assert_eq!(stand.records.totals(at(1), None).await.expect("read"), all);
    let later = Totals { total: 3, delivered: 1, ..all };
    assert_eq!(stand.records.totals(at(2), None).await.expect("read"), later);
    let acme = Totals { total: 1, delivered: 1, failed: 0, ..all };
    assert_eq!(stand.records.totals(at(0), Some("acme")).await.expect("read"), acme);
}

async fn endpoints_have_their_totals_in_order(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint("other").await.id);
    stand.recorded(&event("a", 1), one, Status::Delivered, 1).await;
    stand.recorded(&event("b", 2), other, Status::Failed, 2).await;
    let totals = stand.records.endpoint_totals(at(0), &[other, 999_999, one]).await.expect("read");
    let counts: Vec<_> = totals.iter().map(|totals| (totals.total, totals.delivered, totals.failed)).collect();
    assert_eq!(counts, [(1, 0, 1), (0, 0, 0), (1, 1, 0)]);
    let later = stand.records.endpoint_totals(at(2), &[one, other]).await.expect("read");
    assert_eq!(later.iter().map(|totals| totals.total).collect::<Vec<_>>(), [0, 1]);
}
