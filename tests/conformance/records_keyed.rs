//! Requests with a key: `accept_keyed`, `forget_keyed`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use posthaste::model::event::Event;
use posthaste::model::keyed::{KeyedRequest, Taken};
use posthaste::ports::Known;

use super::backends;
use super::fixtures::{Stand, at, event, event_of, key, keys};
use super::for_both_backends;
use crate::harness::{LONG, eventually};

for_both_backends! {
    a_request_is_taken_in_once_and_answered_as_it_was
    a_key_with_another_body_is_refused_and_nothing_is_written
    events_that_were_there_are_not_new_and_those_set_aside_are_replaced
    what_came_before_its_time_is_forgotten_though_it_is_still_there
    many_callers_with_one_key_are_taken_in_once
    requests_are_forgotten_oldest_first
}

/// A request of that second; what came ten seconds before it is forgotten.
fn request(key: u8, body: u8, ids: &[&str], second: u32) -> KeyedRequest {
    let ids = ids.iter().map(|id| Arc::from(*id)).collect();
    KeyedRequest { key: [key; 32], body: [body; 32], ids, at: at(second), since: at(second) - Duration::from_secs(10) }
}

async fn take(stand: &Stand, request: &KeyedRequest, events: &[Arc<Event>]) -> Taken {
    stand.records.accept_keyed(request, events).await.expect("taken")
}

fn before(ids: &[&str]) -> Taken {
    Taken::Before(ids.iter().map(|id| Arc::from(*id)).collect())
}

async fn a_request_is_taken_in_once_and_answered_as_it_was(stand: Stand) {
    let (ids, events) = (["a", "made \"1\""], [event("a", 1), event("b", 1)]);
    assert_eq!(take(&stand, &request(1, 1, &ids, 1), &events).await, Taken::Now(vec![true, true]));
    assert_eq!(stand.records.known(&keys(&["a", "b"])).await.expect("known"), [Known::Accepted, Known::Accepted]);
    // Whoever sends it again made other ids.
    assert_eq!(take(&stand, &request(1, 1, &["c", "d"], 9), &[event("c", 9), event("d", 9)]).await, before(&ids));
    assert_eq!(stand.records.known(&keys(&["c", "d"])).await.expect("known"), [Known::No, Known::No]);
    assert_eq!(take(&stand, &request(2, 1, &["c"], 9), &[event("c", 9)]).await, Taken::Now(vec![true]));
}

async fn a_key_with_another_body_is_refused_and_nothing_is_written(stand: Stand) {
    take(&stand, &request(1, 1, &["a"], 1), &[event("a", 1)]).await;
    assert_eq!(take(&stand, &request(1, 2, &["b"], 2), &[event("b", 2)]).await, Taken::OtherBody);
    assert_eq!(stand.records.known(&[key("b")]).await.expect("known"), [Known::No]);
    assert_eq!(take(&stand, &request(1, 1, &["b"], 3), &[event("b", 3)]).await, before(&["a"]));
}

async fn events_that_were_there_are_not_new_and_those_set_aside_are_replaced(stand: Stand) {
    stand.records.accept(&[event("b", 1), event("c", 1)]).await.expect("accepted");
    let set_aside = vec![(key("c"), "it cannot be".to_owned())];
    stand.records.record(&posthaste::ports::Batch { set_aside, ..Default::default() }).await.expect("recorded");
    let events = [event("d", 2), event("b", 2), event("a", 2), event("c", 2), event("d", 2), event_of("acme", "b", 2)];
    let flags = vec![true, false, true, true, false, true];
    assert_eq!(take(&stand, &request(1, 1, &["d", "b", "a", "c", "d", "b"], 2), &events).await, Taken::Now(flags));
    // Without any, the request is remembered all the same.
    assert_eq!(take(&stand, &request(2, 1, &[], 2), &[]).await, Taken::Now(vec![]));
    assert_eq!(take(&stand, &request(2, 1, &[], 2), &[]).await, before(&[]));
}

async fn what_came_before_its_time_is_forgotten_though_it_is_still_there(stand: Stand) {
    take(&stand, &request(1, 1, &["a"], 1), &[event("a", 1)]).await;
    assert_eq!(take(&stand, &request(1, 2, &["b"], 11), &[event("b", 11)]).await, Taken::OtherBody);
    assert_eq!(take(&stand, &request(1, 2, &["b"], 12), &[event("b", 12)]).await, Taken::Now(vec![true]));
    assert_eq!(take(&stand, &request(1, 1, &["c"], 13), &[event("c", 13)]).await, Taken::OtherBody);
    assert_eq!(take(&stand, &request(1, 2, &["c"], 13), &[event("c", 13)]).await, before(&["b"]));
}

async fn many_callers_with_one_key_are_taken_in_once(stand: Stand) {
    for round in 0..10 {
        let calls: Vec<_> = (0..8)
            .map(|caller| {
                let id = format!("e{round}-{caller}");
                (request(round, 1, &[&id], 1), [event(&id, 1)])
            })
            .collect();
        let answers = calls.iter().map(|(request, events)| take(&stand, request, events));
        let answers = futures_util::future::join_all(answers).await;
        let taken: Vec<_> = answers.iter().zip(&calls).filter(|(taken, _)| **taken == Taken::Now(vec![true])).collect();
        assert_eq!(taken.len(), 1, "{answers:?}");
        let same = Taken::Before(taken[0].1.0.ids.clone());
        assert!(answers.iter().all(|answer| matches!(answer, Taken::Now(_) | Taken::Running) || *answer == same), "{answers:?}");
        let ids: Vec<_> = calls.iter().map(|(_, events)| events[0].key.clone()).collect();
        let known = stand.records.known(&ids).await.expect("known");
        assert_eq!(known.into_iter().filter(|known| *known == Known::Accepted).count(), 1);
    }
}

async fn requests_are_forgotten_oldest_first(stand: Stand) {
    for second in [3, 1, 4, 2, 5] {
        take(&stand, &request(u8::try_from(second).expect("small"), 1, &["a"], second), &[]).await;
    }
    assert_eq!(stand.records.forget_keyed(at(5), 3).await.expect("forgotten"), 3);
    let mut left = HashSet::new();
    for number in 1..6 {
        if take(&stand, &request(number, 2, &["b"], 6), &[]).await == Taken::OtherBody {
            left.insert(number);
        }
    }
    assert_eq!(left, HashSet::from([4, 5]));
    assert_eq!(stand.records.forget_keyed(at(6), 9).await.expect("forgotten"), 2);
    assert_eq!(stand.records.forget_keyed(at(6), 9).await.expect("forgotten"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_is_taken_in_another_hears_at_once_that_it_runs() {
    let production = backends::production().await;
    let connection = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    // Whoever takes in this event waits for this transaction.
    let held = "BEGIN; INSERT INTO webhook_events (id, event_type, data) VALUES ('held', 'a', '1')";
    connection.batch_execute(held).await.expect("inserted");
    // Within a transaction the server says what was so when it was first asked, so somebody else asks.
    let looking = crate::harness::postgres::connect(&production.postgres_url).await.expect("PostgreSQL runs");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (events, first) = ([event("held", 1)], request(1, 1, &["held"], 1));
    let meanwhile = async {
        eventually(LONG, async || (looking.query_one(waits, &[]).await.expect("a number").get::<_, i64>(0) == 1).then_some(())).await;
        for body in [1, 2] {
            assert_eq!(take(&production.stand, &request(1, body, &["x"], 1), &[event("x", 1)]).await, Taken::Running);
        }
        assert_eq!(take(&production.stand, &request(2, 1, &["y"], 1), &[event("y", 1)]).await, Taken::Now(vec![true]));
        connection.batch_execute("ROLLBACK").await.expect("rolled back");
    };
    let (taken, ()) = tokio::join!(take(&production.stand, &first, &events), meanwhile);
    assert_eq!(taken, Taken::Now(vec![true]));
    assert_eq!(take(&production.stand, &request(1, 1, &["x"], 1), &[event("x", 1)]).await, before(&["held"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_events_are_refused_is_not_remembered() {
    let stand = backends::redis_and_postgres().await;
    let wrong = [event("a", 1), event_of("no tenant", "b", 1)];
    assert!(stand.records.accept_keyed(&request(1, 1, &["a", "b"], 1), &wrong).await.is_err());
    assert_eq!(stand.records.known(&[key("a")]).await.expect("known"), [Known::No]);
    assert_eq!(take(&stand, &request(1, 2, &["a"], 1), &[event("a", 1)]).await, Taken::Now(vec![true]));
}
