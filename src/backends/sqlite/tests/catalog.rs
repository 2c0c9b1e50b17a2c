use std::borrow::Borrow;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;

use super::{Place, deliver, event};
use crate::backends::sqlite::file;
use crate::model::delivery::Status;
use crate::model::endpoint::{Endpoint, EndpointDefaults, EndpointDraft, NewEndpoint};
use crate::ports::{Batch, Catalog as _, CatalogError, Changes, Disabling, Records as _};

fn registration(json: &str) -> NewEndpoint {
    let defaults = EndpointDefaults { timeout: Duration::from_secs(30), max_retries: 3, retry_delay: Duration::from_secs(60) };
    serde_json::from_str::<EndpointDraft>(json).expect("JSON").into_new(defaults).expect("valid")
}

fn plain(name: &str) -> NewEndpoint {
    registration(&format!(r#"{{"name":"{name}","url":"https://example.com/hooks","event_types":["*"]}}"#))
}

fn names<E: Borrow<Endpoint>>(endpoints: &[E]) -> Vec<&str> {
    endpoints.iter().map(|endpoint| endpoint.borrow().spec.name.as_str()).collect()
}

#[tokio::test]
async fn an_endpoint_comes_back_as_it_was_registered() {
    let place = Place::new();
    let sqlite = place.open();
    let new = registration(
        r#"{"name":"n","tenant":"acme","url":"https://example.com/x?y=1","event_types":["order.*","a.b","*"],"headers":{"X-A":"b"},
            "timeout":2.5,"max_retries":7,"retry_delay":0.1,"retry_schedule":[1,2.5],"rate_limit":{"max_requests":5,"window":1.5},
            "in_flight":3,"is_active":false,"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#,
    );
    let made = sqlite.create(new.clone()).await.expect("registers");
    assert_eq!((&made.tenant, &made.spec, Some(&made.secret)), (&new.tenant, &new.spec, new.secret.as_ref()));
    drop(sqlite);
    assert_eq!(place.open().get(made.id, Some("acme")).await.expect("looks"), Some(made));
}

#[tokio::test]
async fn a_missing_secret_is_made_and_no_two_are_alike() {
    use base64::Engine as _;
    let place = Place::new();
    let sqlite = place.open();
    let (one, two) = (sqlite.create(plain("1")).await.expect("registers"), sqlite.create(plain("2")).await.expect("registers"));
    let key = one.secret.reveal().strip_prefix("whsec_").expect("the prefix");
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(key).expect("base64").len(), 32);
    assert_ne!(one.secret, two.secret);
}

#[tokio::test]
async fn changes_are_seen_once_whoever_made_them() {
    let place = Place::new();
    let sqlite = place.open();
    assert_eq!(sqlite.changes(0).await.expect("looks"), Changes::default());
    let one = sqlite.create(plain("1")).await.expect("registers");
    let two = sqlite.create(plain("2")).await.expect("registers");
    let all = sqlite.changes(0).await.expect("looks");
    assert_eq!((names(&all.changed), all.removed), (vec!["1", "2"], vec![]));
    assert_eq!(sqlite.changes(all.revision).await.expect("looks"), Changes { revision: all.revision, ..Changes::default() });

    sqlite.remove(two.id, None).await.expect("removes");
    let next = sqlite.changes(all.revision).await.expect("looks");
    assert_eq!((names(&next.changed), next.removed), (vec![], vec![two.id]));

    let mut shell = file::connect(&place.path).expect("connects");
    shell.batch_execute("UPDATE webhook_endpoints SET name = 'by hand' WHERE id = 1").expect("updates");
    let by_hand = sqlite.changes(next.revision).await.expect("looks");
    assert_eq!((names(&by_hand.changed), by_hand.removed), (vec!["by hand"], vec![]));
    shell.batch_execute("DELETE FROM webhook_endpoints WHERE id = 1").expect("deletes");
    assert_eq!(sqlite.changes(by_hand.revision).await.expect("looks").removed, [one.id]);
}

#[tokio::test]
async fn a_row_that_was_spoilt_by_hand_stops_no_other() {
    let place = Place::new();
    let sqlite = place.open();
    let one = sqlite.create(plain("1")).await.expect("registers");
    sqlite.create(plain("2")).await.expect("registers");
    let mut shell = file::connect(&place.path).expect("connects");
    shell.batch_execute("UPDATE webhook_endpoints SET event_types = 'x' WHERE id = 1").expect("updates");
    let changes = sqlite.changes(0).await.expect("looks");
    assert_eq!((names(&changes.changed), changes.removed), (vec!["2"], vec![one.id]));
}

#[tokio::test]
async fn a_disabled_endpoint_keeps_its_reason_until_it_is_made_active() {
    let place = Place::new();
    let sqlite = place.open();
    let made = sqlite.create(plain("1")).await.expect("registers");
    let before = sqlite.changes(0).await.expect("looks").revision;
    for reason in ["the receiver answered 410", "again"] {
        let batch = Batch { disabled: vec![Disabling::now(made.id, reason)], ..Batch::default() };
        sqlite.record(&batch).await.expect("records");
    }
    let disabled = sqlite.changes(before).await.expect("looks").changed.remove(0);
    assert_eq!((disabled.spec.is_active, disabled.disabled_reason.as_deref()), (false, Some("the receiver answered 410")));
    let mut spec = disabled.spec.clone();
    spec.name = "renamed".into();
    let renamed = sqlite.update(made.id, None, spec.clone()).await.expect("changes");
    assert_eq!(renamed.disabled_reason, disabled.disabled_reason);
    spec.is_active = true;
    let active = sqlite.update(made.id, None, spec).await.expect("changes");
    assert_eq!((active.spec.is_active, active.disabled_reason), (true, None));
    assert!(active.updated_at > made.updated_at);
}

#[tokio::test]
async fn an_endpoint_of_another_tenant_is_not_there() {
    let place = Place::new();
    let sqlite = place.open();
    let made = sqlite.create(plain("1")).await.expect("registers");
    assert_eq!(sqlite.get(made.id, Some("other")).await.expect("looks"), None);
    let updated = sqlite.update(made.id, Some("other"), made.spec.clone()).await;
    assert!(matches!(updated, Err(CatalogError::NotFound)));
    assert!(matches!(sqlite.remove(made.id, Some("other")).await, Err(CatalogError::NotFound)));
    assert_eq!(sqlite.list(Some("other"), None, 9).await.expect("lists").items, []);
    assert_eq!(sqlite.get(made.id, Some("default")).await.expect("looks"), Some(made));
}

#[tokio::test]
async fn a_removed_endpoint_is_gone_and_its_deliveries_keep_its_name() {
    let place = Place::new();
    let sqlite = place.open();
    let made = sqlite.create(plain("shop")).await.expect("registers");
    let id = deliver(&sqlite, &event("a"), Status::Delivered).await;
    sqlite.remove(made.id, None).await.expect("removes");
    assert!(matches!(sqlite.remove(made.id, None).await, Err(CatalogError::NotFound)));
    assert_eq!(sqlite.get(made.id, None).await.expect("looks"), None);
    assert_eq!(sqlite.delivery(id, None).await.expect("looks").expect("there").0.endpoint_name, "shop");
    assert_ne!(sqlite.create(plain("next")).await.expect("registers").id, made.id);
}

#[tokio::test]
async fn endpoints_are_listed_newest_first() {
    let place = Place::new();
    let sqlite = place.open();
    for name in ["1", "2", "3"] {
        sqlite.create(plain(name)).await.expect("registers");
    }
    let first = sqlite.list(None, None, 2).await.expect("lists");
    assert_eq!(names(&first.items), ["3", "2"]);
    assert_eq!(names(&sqlite.list(None, first.next, 2).await.expect("lists").items), ["1"]);
}
