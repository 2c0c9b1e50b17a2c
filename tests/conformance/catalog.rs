//! Every sentence of the catalog.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use posthaste::model::clock;
use posthaste::model::endpoint::{Endpoint, EndpointSpec, NewEndpoint};
use posthaste::model::rotation::Rotation;
use posthaste::model::secret::Secret;
use posthaste::ports::{Batch, CatalogError, Changes, Disabling};

use super::fixtures::{Stand, spec};
use super::for_both_backends;

for_both_backends! {
    a_registered_endpoint_is_read_back_as_it_was
    a_missing_secret_is_made_of_32_random_bytes_and_a_given_one_kept
    changes_after_a_revision_hold_what_changed_and_nothing_else
    all_endpoints_are_there_after_revision_0_inactive_ones_included
    an_update_replaces_what_the_owner_chose
    making_an_endpoint_active_takes_its_disabled_reason_away
    an_endpoint_of_another_tenant_is_not_there
    endpoints_are_listed_newest_first_page_by_page
    a_rotated_secret_leaves_the_earlier_one_valid_for_the_overlap
    a_rotation_is_refused_where_it_cannot_be_made
    earlier_secrets_are_forgotten_when_their_time_is_over
}

async fn changes(stand: &Stand, revision: i64) -> Changes {
    stand.catalog.changes(revision).await.expect("read")
}

async fn get(stand: &Stand, id: i64) -> Endpoint {
    stand.catalog.get(id, None).await.expect("read").expect("it is there")
}

async fn a_registered_endpoint_is_read_back_as_it_was(stand: Stand) {
    let made = stand.endpoint("n").await;
    assert_eq!((&made.spec, &*made.tenant, &made.disabled_reason), (&spec("n"), "default", &None));
    assert_eq!(get(&stand, made.id).await, made);
    assert_eq!(changes(&stand, 0).await.changed, [Arc::new(made)]);
}

async fn a_missing_secret_is_made_of_32_random_bytes_and_a_given_one_kept(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await.secret, stand.endpoint("other").await.secret);
    assert_ne!(one, other);
    let key = one.reveal().strip_prefix("whsec_").expect("whsec_");
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(key).expect("base64").len(), 32);
    let given = NewEndpoint { tenant: Arc::from("default"), spec: spec("n"), secret: Some(Secret::new("my-own-secret".into())) };
    let made = stand.catalog.create(given).await.expect("registered");
    assert_eq!(get(&stand, made.id).await.secret.reveal(), "my-own-secret");
}

async fn changes_after_a_revision_hold_what_changed_and_nothing_else(stand: Stand) {
    let start = changes(&stand, 0).await.revision;
    let (one, other) = (stand.endpoint("one").await, stand.endpoint("other").await);
    let made = changes(&stand, start).await;
    assert_eq!(made.changed.len(), 2);
    assert_eq!(changes(&stand, made.revision).await, Changes { revision: made.revision, ..Changes::default() });
    let updated = stand.catalog.update(one.id, None, spec("new")).await.expect("updated");
    let after_update = changes(&stand, made.revision).await;
    assert_eq!((&after_update.changed, &after_update.removed), (&vec![Arc::new(updated)], &vec![]));
    stand.catalog.remove(other.id, None).await.expect("removed");
    let after_removal = changes(&stand, after_update.revision).await;
    assert_eq!((after_removal.changed, after_removal.removed), (vec![], vec![other.id]));
}

async fn all_endpoints_are_there_after_revision_0_inactive_ones_included(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await, stand.endpoint("other").await);
    let inactive = EndpointSpec { is_active: false, ..spec("one") };
    stand.catalog.update(one.id, None, inactive).await.expect("updated");
    let mut all: Vec<_> = changes(&stand, 0).await.changed.iter().map(|e| (e.id, e.spec.is_active)).collect();
    all.sort_unstable();
    assert_eq!(all, [(one.id, false), (other.id, true)]);
}

async fn an_update_replaces_what_the_owner_chose(stand: Stand) {
    let made = stand.endpoint("n").await;
    let chosen = EndpointSpec { retry_schedule: None, in_flight: None, max_retries: 9, ..spec("new") };
    let updated = stand.catalog.update(made.id, Some("default"), chosen.clone()).await.expect("updated");
    assert_eq!((&updated.spec, &updated.secret, updated.created_at), (&chosen, &made.secret, made.created_at));
    assert!(updated.updated_at >= made.updated_at);
    assert_eq!(get(&stand, made.id).await, updated);
}

async fn making_an_endpoint_active_takes_its_disabled_reason_away(stand: Stand) {
    let made = stand.endpoint("n").await;
    let batch = Batch { disabled: vec![Disabling::now(made.id, "answered 410")], ..Batch::default() };
    stand.records.record(&batch).await.expect("recorded");
    let inactive = EndpointSpec { is_active: false, ..spec("n") };
    let still = stand.catalog.update(made.id, None, inactive).await.expect("updated");
    assert_eq!(still.disabled_reason.as_deref(), Some("answered 410"));
    let active = stand.catalog.update(made.id, None, spec("n")).await.expect("updated");
    assert_eq!(active.disabled_reason, None);
}

async fn an_endpoint_of_another_tenant_is_not_there(stand: Stand) {
    let made = stand.endpoint("n").await;
    assert!(stand.catalog.get(made.id, Some("acme")).await.expect("read").is_none());
    let update = stand.catalog.update(made.id, Some("acme"), spec("x")).await;
    assert!(matches!(update, Err(CatalogError::NotFound)));
    assert!(matches!(stand.catalog.remove(made.id, Some("acme")).await, Err(CatalogError::NotFound)));
    assert!(matches!(stand.catalog.remove(999_999, None).await, Err(CatalogError::NotFound)));
    assert_eq!(get(&stand, made.id).await, made);
    stand.catalog.remove(made.id, Some("default")).await.expect("removed");
    assert!(stand.catalog.get(made.id, None).await.expect("read").is_none());
}

async fn endpoints_are_listed_newest_first_page_by_page(stand: Stand) {
    let mut wanted = Vec::new();
    for name in ["a", "b", "c"] {
        wanted.insert(0, stand.endpoint(name).await.id);
    }
    stand.endpoint_of("acme", "other").await;
    let first = stand.catalog.list(Some("default"), None, 2).await.expect("listed");
    let second = stand.catalog.list(Some("default"), first.next, 2).await.expect("listed");
    let found: Vec<_> = first.items.iter().chain(&second.items).map(|endpoint| endpoint.id).collect();
    assert_eq!((found, second.next), (wanted, None));
    assert_eq!(stand.catalog.list(None, None, 50).await.expect("listed").items.len(), 4);
}

fn rotation(seconds: u64) -> Rotation {
    Rotation { secret: None, overlap: Duration::from_secs(seconds) }
}

async fn a_rotated_secret_leaves_the_earlier_one_valid_for_the_overlap(stand: Stand) {
    let made = stand.endpoint("n").await;
    let before = clock::now();
    let revision = changes(&stand, 0).await.revision;
    let rotated = stand.catalog.rotate_secret(made.id, Some("default"), &rotation(60)).await.expect("rotated");
    assert_ne!(rotated.secret, made.secret);
    assert_eq!((rotated.earlier.len(), &rotated.earlier[0].secret), (1, &made.secret));
    let until = rotated.earlier[0].until;
    assert!((clock::after(before, Duration::from_secs(60))..=clock::after(clock::now(), Duration::from_secs(60))).contains(&until));
    assert!(rotated.updated_at > made.updated_at && rotated.spec == made.spec);
    assert_eq!(get(&stand, made.id).await, rotated);
    assert_eq!(changes(&stand, revision).await.changed, [Arc::new(rotated)]);
    let again = stand.catalog.rotate_secret(made.id, None, &rotation(10)).await.expect("rotated");
    assert_eq!(again.earlier.len(), 2);
    assert!(again.earlier[1].secret == made.secret && again.earlier[1].until == again.earlier[0].until, "none outlives the next");
    let own = Rotation { secret: Some(Secret::new("my-own-secret".into())), overlap: Duration::ZERO };
    let alone = stand.catalog.rotate_secret(made.id, None, &own).await.expect("rotated");
    assert_eq!((alone.secret.reveal(), &*alone.earlier), ("my-own-secret", &[][..]));
}

async fn a_rotation_is_refused_where_it_cannot_be_made(stand: Stand) {
    let made = stand.endpoint("n").await;
    let foreign = stand.catalog.rotate_secret(made.id, Some("other"), &rotation(60)).await;
    assert!(matches!(foreign, Err(CatalogError::NotFound)));
    let same = Rotation { secret: Some(made.secret.clone()), overlap: Duration::ZERO };
    assert!(matches!(stand.catalog.rotate_secret(made.id, None, &same).await, Err(CatalogError::Conflict(_))));
    for _ in 0..Rotation::MOST_EARLIER {
        stand.catalog.rotate_secret(made.id, None, &rotation(60)).await.expect("rotated");
    }
    assert!(matches!(stand.catalog.rotate_secret(made.id, None, &rotation(60)).await, Err(CatalogError::Conflict(_))));
    assert_eq!(get(&stand, made.id).await.earlier.len(), Rotation::MOST_EARLIER);
    stand.catalog.remove(made.id, None).await.expect("removed");
    assert!(matches!(stand.catalog.rotate_secret(made.id, None, &rotation(60)).await, Err(CatalogError::NotFound)));
}

async fn earlier_secrets_are_forgotten_when_their_time_is_over(stand: Stand) {
    let (one, other) = (stand.endpoint("one").await, stand.endpoint("other").await);
    let one = stand.catalog.rotate_secret(one.id, None, &rotation(10)).await.expect("rotated");
    let other = stand.catalog.rotate_secret(other.id, None, &rotation(1000)).await.expect("rotated");
    let later = clock::after(clock::now(), Duration::from_secs(100));
    assert_eq!(stand.catalog.forget_secrets(clock::now()).await.expect("looked"), 0);
    assert_eq!(stand.catalog.forget_secrets(later).await.expect("looked"), 1);
    assert_eq!(stand.catalog.forget_secrets(later).await.expect("looked"), 0);
    assert_eq!(get(&stand, one.id).await, Endpoint { earlier: Vec::new(), ..one });
    assert_eq!(get(&stand, other.id).await, other);
}
