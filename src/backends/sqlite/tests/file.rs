use std::time::Duration;

use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};

use super::{LONG, Place, deliver, event, key};
use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::file;
use crate::backends::sqlite::trouble::Trouble;
use crate::model::delivery::Status;
use crate::ports::{BackendError, Depth, Queue as _, Records as _, Settlement};

#[test]
fn a_second_opener_is_refused_at_once_with_the_name_of_the_file() {
    let place = Place::new();
    let first = place.open();
    let error = Sqlite::open(&place.path, LONG).expect_err("is open");
    assert!(matches!(error, BackendError::Unavailable { backend: "sqlite", .. }), "{error:?}");
    assert!(error.to_string().contains("another posthaste has") && error.to_string().contains("posthaste.db"), "{error}");
    drop(first);
    place.open();
}

#[tokio::test]
async fn what_was_unfinished_is_offered_again_at_the_next_start_whoever_held_it() {
    let place = Place::new();
    let due = {
        let sqlite = place.open();
        let events = [event("c"), event("a"), event("b"), event("done")];
        sqlite.accept(&events).await.expect("accepts");
        let offers: Vec<_> = events.iter().map(|event| (event.key.clone(), event.accepted_at)).collect();
        assert_eq!(sqlite.offer(&offers).await.expect("offers"), 4);
        assert_eq!(sqlite.claim_accepted(2, LONG).await.expect("claims").expect("two").items.len(), 2);
        sqlite.record(&super::routed(&events[3], true, vec![])).await.expect("records");
        let due = deliver(&sqlite, &event("due"), Status::Retrying).await;
        deliver(&sqlite, &event("delivered"), Status::Delivered).await;
        sqlite.schedule_missing(&[(due, crate::model::clock::now())]).await.expect("schedules");
        assert_eq!(sqlite.claim_due(9, true).await.expect("claims").ids, [due]);
        let letter = crate::model::dead_letter::DeadLetter {
            reason: "not JSON".into(),
            class: "not_json",
            at: crate::model::clock::now(),
            entry: bytes::Bytes::from_static(b"\xff\0x"),
        };
        sqlite.settle(&Settlement { dead: vec![letter], ..Settlement::default() }).await.expect("settles");
        due
    };
    let sqlite = place.open();
    assert_eq!(sqlite.depth().await.expect("counts"), Depth { events: 3, deliveries: 1, dead_letters: 1 });
    let claim = sqlite.claim_accepted(9, LONG).await.expect("claims").expect("three");
    assert_eq!(claim.items, [key("c"), key("a"), key("b")]);
    assert_eq!(sqlite.claim_due(9, true).await.expect("claims").ids, [due]);
}

#[tokio::test]
async fn calls_that_share_a_commit_fail_alone() {
    let place = Place::new();
    let sqlite = place.open();
    // Holds the writer until all the others wait behind it.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let holder = sqlite.writer.run(move |_| held.recv().map_err(|error| Trouble::Refused(error.to_string())));
    let broken = sqlite.writer.run(|conn| {
        conn.batch_execute("INSERT INTO webhook_dead_letters (reason, class, at, entry) VALUES ('r', 'c', 1, x'')")?;
        conn.batch_execute("INSERT INTO webhook_dead_letters (reason) VALUES (NULL)").map_err(Trouble::from)
    });
    let events = [event("a")];
    let sound = sqlite.accept(&events);
    let go = async {
        tokio::task::yield_now().await;
        release.send(()).expect("the writer waits");
    };
    let (holder, broken, sound, ()) = tokio::join!(holder, broken, sound, go);
    holder.expect("holds");
    assert!(matches!(broken, Err(BackendError::Refused { .. })), "{broken:?}");
    assert_eq!(sound.expect("accepts"), [true]);
    drop(sqlite);
    assert_eq!(place.open().depth().await.expect("counts"), Depth { events: 1, deliveries: 0, dead_letters: 0 });
}

#[tokio::test]
async fn a_file_that_somebody_locked_is_unavailable_and_works_again_after() {
    let place = Place::new();
    let sqlite = place.open();
    let ran = sqlite.writer.run(|conn| conn.batch_execute("PRAGMA busy_timeout = 10").map_err(Trouble::from));
    ran.await.expect("sets");
    let mut other = file::connect(&place.path).expect("connects");
    other.batch_execute("BEGIN EXCLUSIVE").expect("locks");
    let error = sqlite.accept(&[event("a")]).await.expect_err("is locked");
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    assert_eq!(sqlite.totals(crate::model::clock::now(), None).await.expect("reading goes on").total, 0);
    other.batch_execute("ROLLBACK").expect("unlocks");
    assert_eq!(sqlite.accept(&[event("a")]).await.expect("accepts"), [true]);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_leaves_nothing_half_done() {
    let place = Place::new();
    let sqlite = place.open();
    let limited = sqlite.writer.run(|conn| conn.batch_execute("PRAGMA max_page_count = 30").map_err(Trouble::from));
    limited.await.expect("sets");
    let many: Vec<_> = (0..2000).map(|number| event(&format!("event-{number}"))).collect();
    let error = sqlite.accept(&many).await.expect_err("is full");
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    // The connection was made anew, and so has no limit.
    assert_eq!(sqlite.known(&[key("event-0")]).await.expect("reads"), [crate::ports::Known::No]);
    assert_eq!(sqlite.accept(&many).await.expect("accepts").len(), 2000);
}

#[derive(diesel::QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    mode: String,
    #[diesel(sql_type = BigInt)]
    synchronous: i64,
    #[diesel(sql_type = BigInt)]
    page: i64,
}

#[tokio::test]
async fn an_accepted_event_is_on_the_disk_when_the_answer_comes() {
    let place = Place::new();
    let sqlite = place.open();
    let query = "SELECT journal_mode AS mode, synchronous, page_size AS page
        FROM pragma_journal_mode, pragma_synchronous, pragma_page_size";
    let setting = sqlite.writer.run(move |conn| diesel::sql_query(query).get_result::<Setting>(conn).map_err(Trouble::from));
    let setting = setting.await.expect("reads");
    // 2 is FULL: every commit waits for the disk.
    assert_eq!((setting.mode.as_str(), setting.synchronous, setting.page), ("wal", 2, 8192));
    let waited = tokio::time::timeout(Duration::from_secs(5), crate::ports::Queue::ping(&sqlite)).await;
    waited.expect("in time").expect("works");
}
