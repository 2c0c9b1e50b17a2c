//! `events`: filters and pages.

use posthaste::model::event::EventKey;
use posthaste::model::event_view::{EventFilter, EventPlace};

use super::fixtures::{Stand, at, event, event_of};
use super::for_both_backends;

for_both_backends! {
    events_are_listed_newest_first_page_by_page
    a_list_of_events_shows_those_that_match_everything_that_is_set
    an_event_of_the_list_says_what_became_of_it
}

async fn list(stand: &Stand, filter: &EventFilter) -> Vec<String> {
    let page = stand.records.events(filter, None, 50).await.expect("listed");
    page.items.into_iter().map(|view| view.key.id.to_string()).collect()
}

async fn events_are_listed_newest_first_page_by_page(stand: Stand) {
    for (tenant, id, second) in [("b", "x", 3), ("a", "y", 3), ("b", "y", 3), ("a", "z", 1), ("a", "x", 5), ("default", "w", 3)] {
        stand.records.accept(&[event_of(tenant, id, second)]).await.expect("accepted");
    }
    // By time, then by tenant, then by id.
    let wanted = ["a/x", "default/w", "b/y", "b/x", "a/y", "a/z"];
    for tenant in [None, Some("b"), Some("a"), Some("default")] {
        let filter = EventFilter { tenant: tenant.map(Into::into), ..EventFilter::default() };
        let own = |member: &&&str| tenant.is_none_or(|tenant| member.starts_with(&format!("{tenant}/")));
        let wanted: Vec<_> = wanted.iter().filter(own).copied().collect();
        for limit in 1..4 {
            let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = stand.records.events(&filter, after.as_ref(), limit).await.expect("listed");
                found.extend(page.items.iter().map(|view| view.key.to_member()));
                pages += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert!(found == wanted && pages == wanted.len().div_ceil(limit as usize), "{tenant:?}, {limit} a page");
        }
        // Whatever list the place comes from.
        let from = EventPlace { at: at(3), key: EventKey { tenant: "b".into(), id: "y".into() } };
        let after: Vec<_> = ["b/x", "a/y", "a/z"].into_iter().filter(|member| own(&member)).collect();
        let page = stand.records.events(&filter, Some(&from), 9).await.expect("listed");
        assert_eq!(page.items.iter().map(|view| view.key.to_member()).collect::<Vec<_>>(), after, "{tenant:?}");
    }
}

async fn a_list_of_events_shows_those_that_match_everything_that_is_set(stand: Stand) {
    stand.records.accept(&[event("a", 1), event("b", 2), event_of("acme", "c", 3)]).await.expect("accepted");
    let any = EventFilter::default;
    let table = [
        (any(), vec!["c", "b", "a"]),
        (EventFilter { tenant: Some("acme".into()), ..any() }, vec!["c"]),
        (EventFilter { tenant: Some("default".into()), ..any() }, vec!["b", "a"]),
        (EventFilter { tenant: Some("nobody".into()), ..any() }, vec![]),
        (EventFilter { event_type: Some("order.created".into()), ..any() }, vec!["c", "b", "a"]),
        (EventFilter { event_type: Some("order.*".into()), ..any() }, vec![]),
        (EventFilter { source: Some("shop".into()), ..any() }, vec!["c", "b", "a"]),
        (EventFilter { source: Some(String::new()), ..any() }, vec![]),
        (EventFilter { since: Some(at(2)), ..any() }, vec!["c", "b"]),
        (EventFilter { until: Some(at(2)), ..any() }, vec!["a"]),
        (EventFilter { since: Some(at(2)), until: Some(at(3)), ..any() }, vec!["b"]),
        (EventFilter { since: Some(at(3)), until: Some(at(4)), tenant: Some("acme".into()), ..any() }, vec!["c"]),
        (EventFilter { until: Some(at(3)), tenant: Some("acme".into()), ..any() }, vec![]),
        (EventFilter { since: Some(at(4)), tenant: Some("acme".into()), ..any() }, vec![]),
    ];
    for (filter, wanted) in table {
        assert_eq!(list(&stand, &filter).await, wanted, "{filter:?}");
    }
}

async fn an_event_of_the_list_says_what_became_of_it(stand: Stand) {
    let (routed, aside) = (event("routed", 2), event("aside", 1));
    stand.records.accept(&[routed.clone(), aside.clone(), event("accepted", 3)]).await.expect("accepted");
    stand.route(&routed, vec![]).await;
    let set_aside = vec![(aside.key.clone(), "too large".to_owned())];
    stand.records.record(&posthaste::ports::Batch { set_aside, ..Default::default() }).await.expect("recorded");
    let views = stand.records.events(&EventFilter::default(), None, 9).await.expect("listed").items;
    let became: Vec<_> = views.iter().map(|view| (&*view.key.id, view.routed_at.is_some(), view.set_aside.as_deref())).collect();
    assert_eq!(became, [("accepted", false, None), ("routed", true, None), ("aside", false, Some("too large"))]);
    let view = &views[1];
    assert_eq!((&*view.event_type, &*view.source, &*view.version), ("order.created", "shop", "2"));
    assert_eq!((view.created_at, view.timestamp), (at(2), routed.timestamp));
}
