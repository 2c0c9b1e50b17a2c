//! What a commit does to endpoints because of how their deliveries went: `failing`, `recovered`, `disabled` and `told`.

use std::sync::Arc;

use posthaste::model::clock::Timestamp;
use posthaste::model::endpoint::{Endpoint, EndpointSpec};
use posthaste::model::event::Event;
use posthaste::ports::{Batch, Disabling, Known, Recovery};

use super::fixtures::{Stand, at, event, spec};
use super::for_both_backends;

for_both_backends! {
    an_endpoint_fails_since_the_first_time_that_was_written_down
    a_change_that_is_not_the_owners_leaves_updated_at_as_it_is
    a_success_takes_back_what_failed_before_it
    a_success_does_not_take_back_what_failed_after_it
    an_endpoint_is_disabled_for_failing_only_if_it_still_fails_since_then
    only_what_disables_an_endpoint_tells_of_it
    an_inactive_endpoint_neither_fails_nor_recovers
    an_endpoint_that_is_enabled_again_starts_anew_and_recovers_with_its_first_success
    an_endpoint_that_its_owner_disabled_does_not_recover
    events_of_our_own_are_accepted_with_the_commit_and_once
}

impl Stand {
    async fn look(&self, id: i64) -> Endpoint {
        self.catalog.get(id, None).await.expect("read").expect("it is there")
    }

    async fn write(&self, batch: Batch) {
        self.records.record(&batch).await.expect("recorded");
    }

    async fn fails(&self, id: i64, since: Timestamp) {
        self.write(Batch { failing: vec![(id, since)], ..Batch::default() }).await;
    }

    async fn recovers(&self, id: i64, at: Timestamp, event: &Arc<Event>) {
        let recovered = vec![Recovery { endpoint_id: id, at, event: Some(Arc::clone(event)) }];
        self.write(Batch { recovered, ..Batch::default() }).await;
    }

    async fn disables(&self, id: i64, failing_since: Option<Timestamp>, event: &Arc<Event>) {
        let disabled = vec![Disabling { failing_since, event: Some(Arc::clone(event)), ..Disabling::now(id, event.key.id.to_string()) }];
        self.write(Batch { disabled, ..Batch::default() }).await;
    }

    async fn is_told(&self, event: &Event) -> bool {
        let known = self.records.known(std::slice::from_ref(&event.key)).await.expect("known")[0];
        assert!(matches!(known, Known::No | Known::Accepted), "{known:?}");
        known == Known::Accepted
    }

    async fn activate(&self, id: i64, is_active: bool) -> Endpoint {
        self.catalog.update(id, None, EndpointSpec { is_active, ..spec("n") }).await.expect("changed")
    }
}

async fn an_endpoint_fails_since_the_first_time_that_was_written_down(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.id, stand.endpoint("other").await.id);
    assert_eq!(stand.look(one).await.failing_since, None);
    let revision = stand.catalog.changes(0).await.expect("read").revision;
    stand.write(Batch { failing: vec![(one, at(2)), (other, at(3))], ..Batch::default() }).await;
    let changed = stand.catalog.changes(revision).await.expect("read").changed;
    assert_eq!(changed.len(), 2, "other workers learn of it");
    stand.fails(one, at(1)).await;
    stand.fails(one, at(9)).await;
    assert_eq!((stand.look(one).await.failing_since, stand.look(other).await.failing_since), (Some(at(2)), Some(at(3))));
}

async fn a_change_that_is_not_the_owners_leaves_updated_at_as_it_is(stand: Stand) {
    let made = stand.endpoint("n").await;
    stand.fails(made.id, at(1)).await;
    assert_eq!(stand.look(made.id).await.updated_at, made.updated_at);
    stand.recovers(made.id, at(2), &event("told", 3)).await;
    assert_eq!(stand.look(made.id).await, made);
}

async fn a_success_takes_back_what_failed_before_it(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    let (first, again) = (event("first", 3), event("again", 4));
    stand.fails(id, at(1)).await;
    stand.recovers(id, at(2), &first).await;
    assert_eq!(stand.look(id).await.failing_since, None);
    stand.recovers(id, at(2), &again).await;
    assert_eq!((stand.is_told(&first).await, stand.is_told(&again).await), (true, false));
}

async fn a_success_does_not_take_back_what_failed_after_it(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    stand.fails(id, at(2)).await;
    stand.recovers(id, at(1), &event("told", 3)).await;
    assert_eq!(stand.look(id).await.failing_since, Some(at(2)));
    assert!(!stand.is_told(&event("told", 3)).await);
}

async fn an_endpoint_is_disabled_for_failing_only_if_it_still_fails_since_then(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    let (late, right) = (event("late", 3), event("right", 4));
    stand.disables(id, Some(at(1)), &late).await;
    stand.fails(id, at(2)).await;
    stand.disables(id, Some(at(1)), &late).await;
    assert!(stand.look(id).await.spec.is_active);
    assert!(!stand.is_told(&late).await);
    stand.disables(id, Some(at(2)), &right).await;
    let disabled = stand.look(id).await;
    assert_eq!((disabled.spec.is_active, disabled.disabled_reason.as_deref()), (false, Some("right")));
    assert!(stand.is_told(&right).await);
}

async fn only_what_disables_an_endpoint_tells_of_it(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    let (first, second) = (event("first", 1), event("second", 2));
    stand.disables(id, None, &first).await;
    stand.disables(id, None, &second).await;
    assert_eq!(stand.look(id).await.disabled_reason.as_deref(), Some("first"));
    assert_eq!((stand.is_told(&first).await, stand.is_told(&second).await), (true, false));
}

async fn an_inactive_endpoint_neither_fails_nor_recovers(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    stand.activate(id, false).await;
    stand.fails(id, at(1)).await;
    assert_eq!(stand.look(id).await.failing_since, None);
    stand.recovers(id, at(2), &event("told", 3)).await;
    assert!(!stand.is_told(&event("told", 3)).await);
}

async fn an_endpoint_that_is_enabled_again_starts_anew_and_recovers_with_its_first_success(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    stand.fails(id, at(1)).await;
    stand.disables(id, Some(at(1)), &event("disabled", 2)).await;
    let enabled = stand.activate(id, true).await;
    assert_eq!((enabled.failing_since, enabled.recovering), (None, true));
    let enabled = stand.activate(id, true).await;
    assert_eq!((enabled.failing_since, enabled.recovering), (None, true));
    let (first, again) = (event("first", 3), event("again", 4));
    stand.recovers(id, at(3), &first).await;
    stand.recovers(id, at(4), &again).await;
    assert!(!stand.look(id).await.recovering);
    assert_eq!((stand.is_told(&first).await, stand.is_told(&again).await), (true, false));
}

async fn an_endpoint_that_its_owner_disabled_does_not_recover(stand: Stand) {
    let id = stand.endpoint("n").await.id;
    stand.fails(id, at(1)).await;
    stand.activate(id, false).await;
    let enabled = stand.activate(id, true).await;
    assert_eq!((enabled.failing_since, enabled.recovering), (None, false));
}

async fn events_of_our_own_are_accepted_with_the_commit_and_once(stand: Stand) {
    let (told, other) = (event("told", 1), event("other", 2));
    for _ in 0..2 {
        stand.write(Batch { told: vec![told.clone(), other.clone()], ..Batch::default() }).await;
    }
    let unrouted = stand.records.unrouted(at(60), None, 9).await.expect("read");
    assert_eq!(unrouted, [(told.key.clone(), at(1)), (other.key.clone(), at(2))]);
    stand.route(&told, Vec::new()).await;
    stand.write(Batch { told: vec![told.clone()], ..Batch::default() }).await;
    assert_eq!(stand.records.known(std::slice::from_ref(&told.key)).await.expect("known"), [Known::Routed]);
}
