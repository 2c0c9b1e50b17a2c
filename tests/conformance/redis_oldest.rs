//! How long entries of door 1 wait: nobody writes down when they came.

use std::time::Duration;

use posthaste::model::clock::{self, Timestamp};

use super::backends::{self, Production};
use super::fixtures::NO_WAIT;

async fn push(production: &Production, entry: &str) {
    let mut connection = crate::harness::redis::connect(&production.redis_url).await.expect("Redis runs");
    let list = format!("{}webhook_events", production.prefix);
    redis::cmd("LPUSH").arg(list).arg(entry).query_async::<()>(&mut connection).await.expect("Redis runs");
}

async fn since(production: &Production) -> Option<Timestamp> {
    production.stand.queue.oldest().await.expect("looked").event
}

fn told(at: Timestamp) -> String {
    format!(r#"{{"id":"a","event_type":"a","data":1,"timestamp":{}}}"#, clock::unix_seconds(at))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_waits_since_the_time_that_it_tells() {
    let production = backends::production().await;
    let at = clock::now() - Duration::from_secs(3600);
    push(&production, &told(at)).await;
    push(&production, &told(at - Duration::from_secs(60))).await;
    assert_eq!(since(&production).await, Some(at), "the other one is newer in the list, whatever it tells");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_waits_since_no_earlier_than_the_list_was_seen_empty() {
    let production = backends::production().await;
    let before = clock::now();
    assert_eq!(since(&production).await, None);
    let after = clock::now();
    push(&production, &told(before - Duration::from_secs(3600))).await;
    let found = since(&production).await.expect("it waits");
    assert!((before..=after).contains(&found), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_large_or_tells_no_time_waits_since_it_was_first_seen_at_the_end() {
    let large = format!(r#"{{"data":"{}","timestamp":3}}"#, "x".repeat(5000));
    for entry in ["no event at all", "{}", &large] {
        let production = backends::production().await;
        push(&production, entry).await;
        push(&production, "another").await;
        let before = clock::now();
        let found = since(&production).await.expect("it waits");
        assert!((before..=clock::now()).contains(&found), "{found}");
        assert_eq!(since(&production).await, Some(found));
        production.stand.queue.claim_entries(1, NO_WAIT).await.expect("claimed").expect("an entry");
        assert!(since(&production).await.expect("the other one") > found);
    }
}
