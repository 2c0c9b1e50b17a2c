//! What only the production backends have: door 1, and endpoints changed by plain SQL.

use std::time::{Duration, Instant};

use bytes::Bytes;
use posthaste::model::clock;
use posthaste::model::delivery::Status;
use posthaste::ports::{Ask, Memory, NewPause, Pauses, Settlement, TakenOver};

use super::backends::{self, Production};
use super::fixtures::{LEASE, NO_WAIT, SHORT, at, event, ids, state};
use crate::harness::{LONG, eventually};

async fn push(production: &Production, entries: &[&str]) {
    let mut connection = crate::harness::redis::connect(&production.redis_url).await.expect("Redis runs");
    let list = format!("{}webhook_events", production.prefix);
    redis::cmd("LPUSH").arg(list).arg(entries).query_async::<()>(&mut connection).await.expect("Redis runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_entries_are_claimed_oldest_first_and_up_to_max() {
    let production = backends::production().await;
    push(&production, &["a", "b"]).await;
    push(&production, &["c"]).await;
    let queue = &production.stand.queue;
    assert_eq!(queue.depth().await.unwrap().events, 3);
    let claim = queue.claim_entries(2, NO_WAIT).await.unwrap().unwrap();
    assert_eq!(claim.items, [Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    assert_eq!(queue.claim_entries(9, NO_WAIT).await.unwrap().unwrap().items, [Bytes::from_static(b"c")]);
    assert!(queue.claim_entries(9, SHORT).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_claim_is_answered_the_moment_an_entry_is_pushed() {
    let production = backends::production().await;
    let pushed = async {
        tokio::time::sleep(SHORT).await;
        push(&production, &["a"]).await;
        Instant::now()
    };
    let claimed = async { (production.stand.queue.claim_entries(9, Duration::from_secs(20)).await.unwrap(), Instant::now()) };
    let ((claim, claimed_at), pushed_at) = tokio::join!(claimed, pushed);
    assert_eq!(claim.unwrap().items, [Bytes::from_static(b"a")]);
    assert!(claimed_at.saturating_duration_since(pushed_at) < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waited_has_the_time_of_the_arrival_and_keeps_it_when_it_is_taken_over() {
    let production = backends::production().await;
    let queue = &production.stand.queue;
    let pushed = async {
        tokio::time::sleep(SHORT).await;
        let before = clock::now();
        push(&production, &["a"]).await;
        before
    };
    let (claim, before) = tokio::join!(queue.claim_entries(9, Duration::from_secs(20)), pushed);
    let claim = claim.unwrap().unwrap();
    // Claims keep whole milliseconds.
    assert!(claim.claimed_at.timestamp_millis() >= before.timestamp_millis(), "{} {before}", claim.claimed_at);
    let taken = eventually(LONG, async || queue.take_over(9).await.unwrap().pop()).await;
    let TakenOver::Entries(taken) = taken else { panic!("{taken:?}") };
    assert_eq!((&taken.items, taken.claimed_at), (&claim.items, claim.claimed_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_dead_worker_are_taken_over_until_they_are_settled() {
    let production = backends::production().await;
    push(&production, &["a"]).await;
    let queue = &production.stand.queue;
    let held = queue.claim_entries(9, NO_WAIT).await.unwrap().unwrap();
    let taken = eventually(LONG, async || queue.take_over(9).await.unwrap().pop()).await;
    let TakenOver::Entries(taken) = taken else { panic!("{taken:?}") };
    assert_eq!((&taken.items, taken.claimed_at), (&held.items, held.claimed_at));
    production.stand.settle(Settlement { claims: vec![taken.id], ..Settlement::default() }).await;
    tokio::time::sleep(super::fixtures::LEASE * 2).await;
    assert!(queue.take_over(9).await.unwrap().is_empty());
}

async fn forget(production: &Production, pattern: &str) {
    let mut connection = crate::harness::redis::connect(&production.redis_url).await.expect("Redis runs");
    let pattern = format!("{}{pattern}", production.prefix);
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("Redis runs");
    redis::cmd("DEL").arg(keys).query_async::<()>(&mut connection).await.expect("Redis runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_lost_its_memory_asks_one_caller_to_restore_it() {
    let production = backends::production().await;
    let queue = &production.stand.queue;
    assert_eq!(queue.memory().await.unwrap(), Memory::Lost);
    assert_eq!(queue.memory().await.unwrap(), Memory::Restoring);
    assert!(queue.restoring().await.unwrap());
    queue.restored().await.unwrap();
    tokio::time::sleep(LEASE).await;
    assert_eq!(queue.memory().await.unwrap(), Memory::Whole, "for longer than a lease");
    forget(&production, "*").await;
    assert_eq!(queue.memory().await.unwrap(), Memory::Lost);
    forget(&production, "*").await;
    assert!(!queue.restoring().await.unwrap());
    queue.restored().await.unwrap();
    assert_eq!(queue.memory().await.unwrap(), Memory::Lost, "it was lost once more before it was restored");
    eventually(LONG, async || (queue.memory().await.unwrap() == Memory::Lost).then_some(())).await;
    assert_eq!(queue.memory().await.unwrap(), Memory::Restoring, "whoever was to restore it is gone, and another one is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_that_were_lost_with_the_memory_are_a_change() {
    let production = backends::production().await;
    let queue = &production.stand.queue;
    let broken = NewPause::Broken { endpoint_id: 7, first: LONG, max: LONG };
    queue.pause(&[broken]).await.unwrap();
    let known = queue.pauses(0).await.unwrap().unwrap().revision;
    forget(&production, "*").await;
    assert_eq!(queue.pauses(known).await.unwrap(), Some(Pauses { revision: Pauses::NOTHING, paused: vec![] }));
    assert_eq!(queue.pauses(Pauses::NOTHING).await.unwrap(), None);
    queue.pause(&[broken]).await.unwrap();
    let since = queue.pauses(known).await.unwrap().expect("it was lost, and paused again");
    assert!(since.revision > known && since.paused.len() == 1, "{since:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_pauses_and_slots_that_are_over() {
    let production = backends::production().await;
    let (queue, pattern) = (&production.stand.queue, format!("{}*", production.prefix));
    let mut connection = crate::harness::redis::connect(&production.redis_url).await.expect("Redis runs");
    let mut gone = async || {
        eventually(LONG, async || {
            let keys: Vec<String> = redis::cmd("KEYS").arg(&pattern).query_async(&mut connection).await.expect("Redis runs");
            keys.is_empty().then_some(())
        })
        .await;
    };
    let [seven, eight, nine] = [7, 8, 9].map(|endpoint_id| NewPause::Broken { endpoint_id, first: LONG, max: LONG });
    let ask = Ask { endpoint_id: 7, every: SHORT, count: 3, ahead: SHORT, line: LONG, newcomers: true };
    let given = queue.slots(&[ask]).await.unwrap().remove(0);
    assert_eq!((given.slots.len(), given.places.len()), (2, 1));
    queue.pause(&[seven, eight, nine, NewPause::Slowed { endpoint_id: 8, lasts: SHORT }]).await.unwrap();
    queue.recovered(&[7, 8]).await.unwrap();
    queue.recovered(&[9]).await.unwrap();
    gone().await;
    queue.pause(&[NewPause::Slowed { endpoint_id: 8, lasts: SHORT }]).await.unwrap();
    gone().await;
    assert_eq!(queue.pauses(0).await.unwrap(), Some(Pauses { revision: Pauses::NOTHING, paused: vec![] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_a_broken_endpoint_outlasts_the_last_slowing() {
    let production = backends::production().await;
    let queue = &production.stand.queue;
    queue.pause(&[NewPause::Slowed { endpoint_id: 8, lasts: SHORT }]).await.unwrap();
    queue.pause(&[NewPause::Broken { endpoint_id: 7, first: LONG, max: LONG }]).await.unwrap();
    let known = queue.pauses(0).await.unwrap().unwrap().revision;
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(queue.pauses(known).await.unwrap(), None, "the revision did not expire");
    assert_eq!(queue.pauses(0).await.unwrap().unwrap().paused.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_put_on_the_schedule_while_its_attempt_runs_is_not_due() {
    let production = backends::production().await;
    let (queue, ids) = (&production.stand.queue, ids(1));
    production.stand.settle(Settlement { scheduled: vec![(ids[0], at(1))], ..Settlement::default() }).await;
    assert_eq!(queue.claim_due(9, true).await.unwrap().ids, ids);
    let mut connection = crate::harness::redis::connect(&production.redis_url).await.expect("Redis runs");
    let key = format!("{}webhook_retries", production.prefix);
    redis::cmd("ZADD").arg(&key).arg(1).arg(ids[0].to_string()).query_async::<()>(&mut connection).await.expect("Redis runs");
    assert_eq!(queue.claim_due(9, true).await.unwrap().ids, []);
    assert_eq!(eventually(LONG, async || Some(queue.claim_due(9, true).await.unwrap().lapsed).filter(|ids| !ids.is_empty())).await, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waited_for_a_row_which_was_stopped_meanwhile_counts() {
    let production = backends::production().await;
    let (stand, event) = (&production.stand, event("a", 1));
    let endpoint = stand.endpoint("n").await.id;
    let id = stand.recorded(&event, endpoint, Status::Pending, 0).await;
    let mut sql = crate::harness::postgres::connect(&production.postgres_url).await.unwrap();
    let stopping = sql.transaction().await.unwrap();
    let stop = "UPDATE webhook_deliveries SET status = 'failed', next_retry_at = NULL, error_message = 'stopped'";
    assert_eq!(stopping.execute(stop, &[]).await.unwrap(), 1);
    let looking = crate::harness::postgres::connect(&production.postgres_url).await.unwrap();
    let committed = async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        eventually(LONG, async || (looking.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0).then_some(())).await;
        stopping.commit().await.unwrap();
    };
    let (counted, ()) = tokio::join!(stand.step(0, state(&event, endpoint, Status::Delivered, 1)), committed);
    assert!(counted, "{:?}", stand.records.delivery(id, None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_inserted_changed_and_deleted_by_plain_sql_shows_up_in_changes() {
    let production = backends::production().await;
    let sql = crate::harness::postgres::connect(&production.postgres_url).await.unwrap();
    let catalog = &production.stand.catalog;
    let made = production.stand.endpoint("template").await;
    let mut revision = catalog.changes(0).await.unwrap().revision;
    let mut run = async |statement: &str| {
        sql.batch_execute(statement).await.unwrap();
        let changes = catalog.changes(revision).await.unwrap();
        assert!(changes.revision > revision);
        revision = changes.revision;
        changes
    };
    let inserted =
        run("INSERT INTO webhook_endpoints (name, url, event_types) SELECT 'sql', url, event_types FROM webhook_endpoints").await;
    assert_eq!(inserted.changed.iter().map(|endpoint| endpoint.spec.name.as_str()).collect::<Vec<_>>(), ["sql"]);
    assert_ne!(inserted.changed[0].secret, made.secret);
    let id = inserted.changed[0].id;
    let changed = run(&format!("UPDATE webhook_endpoints SET is_active = false WHERE id = {id}")).await;
    assert_eq!(changed.changed.iter().map(|endpoint| (endpoint.id, endpoint.spec.is_active)).collect::<Vec<_>>(), [(id, false)]);
    let deleted = run(&format!("DELETE FROM webhook_endpoints WHERE id = {id}")).await;
    assert_eq!((deleted.changed, deleted.removed), (vec![], vec![id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_may_migrate_at_once() {
    let url = crate::harness::Postgres::shared().await.database("template1").await;
    futures_util::future::join_all((0..8).map(|_| backends::migrate(&url))).await;
}
