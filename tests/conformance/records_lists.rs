//! `deliveries`: filters and pages.

use posthaste::model::delivery::{DeliveryFilter, DeliveryId, Status};

use super::fixtures::{Stand, at, event, event_of};
use super::for_both_backends;

for_both_backends! {
    deliveries_are_listed_newest_first_page_by_page
    a_list_shows_those_that_match_everything_that_is_set
    a_delivery_whose_endpoint_is_removed_stays_listed
}

async fn list(stand: &Stand, filter: &DeliveryFilter) -> Vec<String> {
    let page = stand.records.deliveries(filter, None, 50).await.expect("listed");
    page.items.into_iter().map(|view| view.event_id).collect()
}

async fn deliveries_are_listed_newest_first_page_by_page(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    let mut wanted: Vec<DeliveryId> = Vec::new();
    for second in [3, 1, 5, 2, 4] {
        wanted.push(stand.recorded(&event(&format!("e{second}"), second), endpoint, Status::Delivered, 1).await);
    }
    wanted.sort();
    wanted.reverse();
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = stand.records.deliveries(&DeliveryFilter::default(), after, 2).await.expect("listed");
        found.extend(page.items.iter().map(|view| view.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (wanted, 3));
}

async fn a_list_shows_those_that_match_everything_that_is_set(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint_of("acme", "other").await.id);
    stand.recorded(&event("a", 1), one, Status::Delivered, 1).await;
    stand.recorded(&event("b", 2), one, Status::Failed, 1).await;
    stand.recorded(&event_of("acme", "c", 3), other, Status::Retrying, 1).await;
    let any = DeliveryFilter::default;
    let table = [
        (any(), vec!["c", "b", "a"]),
        (DeliveryFilter { tenant: Some("acme".into()), ..any() }, vec!["c"]),
        (DeliveryFilter { endpoint_id: Some(one), ..any() }, vec!["b", "a"]),
        (DeliveryFilter { event_id: Some("a".into()), ..any() }, vec!["a"]),
        (DeliveryFilter { event_type: Some("order.created".into()), ..any() }, vec!["c", "b", "a"]),
        (DeliveryFilter { event_type: Some("order.*".into()), ..any() }, vec![]),
        (DeliveryFilter { status: Some(Status::Failed), ..any() }, vec!["b"]),
        (DeliveryFilter { since: Some(at(2)), ..any() }, vec!["c", "b"]),
        (DeliveryFilter { until: Some(at(2)), ..any() }, vec!["a"]),
        (DeliveryFilter { since: Some(at(2)), until: Some(at(3)), endpoint_id: Some(one), ..any() }, vec!["b"]),
        (DeliveryFilter { tenant: Some("acme".into()), event_id: Some("a".into()), ..any() }, vec![]),
    ];
    for (filter, wanted) in table {
        assert_eq!(list(&stand, &filter).await, wanted, "{filter:?}");
    }
}

async fn a_delivery_whose_endpoint_is_removed_stays_listed(stand: Stand) {
    let endpoint = stand.endpoint("n").await.id;
    stand.recorded(&event("a", 1), endpoint, Status::Failed, 1).await;
    stand.catalog.remove(endpoint, None).await.expect("removed");
    assert_eq!(list(&stand, &DeliveryFilter::default()).await, ["a"]);
}
