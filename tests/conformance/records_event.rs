//! `event`: one event, whatever became of it.

use posthaste::model::event::EventKey;
use posthaste::model::event_view::EventDetail;
use posthaste::ports::Batch;

use super::fixtures::{Stand, at, event, event_of, key};
use super::for_both_backends;

for_both_backends! {
    an_event_is_there_whatever_became_of_it
    data_that_is_larger_than_asked_for_is_left_out
    an_event_belongs_to_its_tenant_alone
}

const DATA: &str = r#"{"b":1.0,"a":1e3,"n":12345678901234567890,"é":"\u00e9 x"}"#;

async fn shown(stand: &Stand, key: &EventKey) -> Option<EventDetail> {
    stand.records.event(key, 1000).await.expect("read")
}

async fn an_event_is_there_whatever_became_of_it(stand: Stand) {
    let (routed, aside, accepted) = (event("routed", 2), event("aside", 1), event("accepted", 3));
    stand.records.accept(&[routed.clone(), aside.clone(), accepted]).await.expect("accepted");
    stand.route(&routed, vec![]).await;
    stand.route(&event("pushed", 4), vec![]).await;
    let set_aside = vec![(aside.key.clone(), "too large".to_owned())];
    stand.records.record(&Batch { set_aside, ..Batch::default() }).await.expect("recorded");
    for (id, second, is_routed, reason) in
        [("accepted", 3, false, None), ("routed", 2, true, None), ("aside", 1, false, Some("too large")), ("pushed", 4, true, None)]
    {
        let EventDetail { view, data, data_bytes } = shown(&stand, &key(id)).await.expect(id);
        assert_eq!((&view.key, view.routed_at.is_some(), view.set_aside.as_deref()), (&key(id), is_routed, reason));
        assert_eq!((data.as_deref(), data_bytes, view.created_at), (Some(DATA), DATA.len() as u64, at(second)), "{id}");
        assert_eq!((&*view.event_type, &*view.source, &*view.version, view.timestamp), ("order.created", "shop", "2", routed.timestamp));
        let listed = stand.records.events(&Default::default(), None, 9).await.expect("listed").items;
        assert!(listed.contains(&view), "as the list has it: {view:?}");
    }
    assert_eq!(shown(&stand, &key("never")).await, None);
}

async fn data_that_is_larger_than_asked_for_is_left_out(stand: Stand) {
    stand.records.accept(&[event("e", 1)]).await.expect("accepted");
    for (max_bytes, left_out) in [(DATA.len(), false), (DATA.len() - 1, true), (0, true), (usize::MAX, false)] {
        let event = stand.records.event(&key("e"), max_bytes).await.expect("read").expect("it is there");
        assert_eq!((event.data.is_none(), event.data_bytes), (left_out, DATA.len() as u64), "{max_bytes}");
    }
}

async fn an_event_belongs_to_its_tenant_alone(stand: Stand) {
    let (own, other) = (event_of("acme", "e", 1), event_of("other", "e", 2));
    stand.records.accept(&[own.clone(), other.clone()]).await.expect("accepted");
    for event in [own, other] {
        assert_eq!(shown(&stand, &event.key).await.expect("it is there").view.created_at, event.accepted_at);
    }
    assert_eq!(shown(&stand, &key("e")).await, None);
}
