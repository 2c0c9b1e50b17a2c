//! Runs: begun, claimed page by page, ended.

use std::sync::Arc;
use std::time::Duration;

use posthaste::model::clock;
use posthaste::model::delivery::{DeliveryId, Status};
use posthaste::model::run::{Run, RunId, RunKind, RunStatus};
use posthaste::ports::{Advance, Pace, RetriedPage, Started};
use uuid::Uuid;

use super::fixtures::{SHORT, Stand, at, event};
use super::for_both_backends;
use crate::harness::{LONG, eventually};

for_both_backends! {
    a_run_is_found_as_it_was_begun_and_by_its_tenant
    one_of_a_kind_runs_for_an_endpoint_at_a_time
    runs_are_listed_newest_first
    a_run_that_is_cancelled_goes_no_further
    one_holder_has_the_page_of_a_run_until_its_lease_is_over
    the_run_that_is_due_for_longest_comes_first_and_one_that_rests_is_not_due
    a_page_puts_back_what_comes_next_and_moves_on_in_one_commit
    what_a_run_has_to_do_is_counted
    what_is_still_due_is_found_between_two_deliveries
    what_a_page_did_is_written_down_by_its_holder_alone
    runs_that_ended_long_ago_are_removed
}

const MINE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn of(endpoint: i64) -> Run {
    Run { tenant: Some(Arc::from("acme")), endpoint_id: Some(endpoint), ..Run::new(RunKind::RetryFailed) }
}

fn pace(max: usize) -> Pace {
    Pace { max, rest_after_each: Duration::ZERO, due: at(50), mark: None }
}

impl Stand {
    async fn begun(&self, run: &Run) {
        assert_eq!(self.records.start_run(run).await.expect("begun"), Started::New);
    }

    async fn run(&self, id: RunId) -> Run {
        self.records.find_run(id, None).await.expect("read").expect("it is there")
    }

    async fn claimed(&self, holder: Uuid) -> Option<RunId> {
        self.records.claim_run(holder, LONG).await.expect("claimed").map(|run| run.id)
    }

    /// A claimed page, put back.
    async fn page(&self, run: &Run, pace: Pace) -> RetriedPage {
        let claimed = self.records.claim_run(MINE, LONG).await.expect("claimed").expect("it is due");
        assert_eq!(claimed.id, run.id);
        self.records.retry_page(run, MINE, pace).await.expect("put back").expect("it is ours")
    }

    async fn advance(&self, id: RunId, holder: Uuid, advance: Advance) -> bool {
        self.records.advance_run(id, holder, &advance).await.expect("written")
    }

    async fn with_failed(&self, seconds: &[u32]) -> (i64, Vec<DeliveryId>) {
        let endpoint = self.endpoint("n").await.id;
        let mut ids = Vec::new();
        for second in seconds {
            ids.push(self.recorded(&event(&format!("e{second}"), *second), endpoint, Status::Failed, 1).await);
        }
        ids.sort_unstable();
        (endpoint, ids)
    }
}

async fn a_run_is_found_as_it_was_begun_and_by_its_tenant(stand: Stand) {
    let run = Run { since: Some(at(1)), until: Some(at(2)), total: Some(7), ..of(3) };
    stand.begun(&run).await;
    assert_eq!(stand.run(run.id).await, run);
    assert_eq!(stand.records.find_run(run.id, Some("acme")).await.expect("read"), Some(run.clone()));
    assert_eq!(stand.records.find_run(run.id, Some("other")).await.expect("read"), None);
    let letters = Run::new(RunKind::RequeueDeadLetters);
    stand.begun(&letters).await;
    assert_eq!(stand.run(letters.id).await, letters);
    assert_eq!(stand.records.find_run(letters.id, Some("acme")).await.expect("read"), None);
    assert_eq!(stand.records.find_run(RunId(MINE), None).await.expect("read"), None);
}

async fn one_of_a_kind_runs_for_an_endpoint_at_a_time(stand: Stand) {
    let (first, letters) = (of(3), Run::new(RunKind::RequeueDeadLetters));
    stand.begun(&first).await;
    assert_eq!(stand.records.start_run(&of(3)).await.expect("asked"), Started::Already(first.id));
    stand.begun(&of(4)).await;
    stand.begun(&letters).await;
    let again = Run::new(RunKind::RequeueDeadLetters);
    assert_eq!(stand.records.start_run(&again).await.expect("asked"), Started::Already(letters.id));
    stand.records.cancel_run(first.id, None).await.expect("cancelled");
    stand.begun(&of(3)).await;
}

async fn runs_are_listed_newest_first(stand: Stand) {
    let runs = [of(1), of(2), Run { tenant: Some(Arc::from("other")), ..of(3) }, Run::new(RunKind::RequeueDeadLetters)];
    for run in &runs {
        stand.begun(run).await;
    }
    let ids = |runs: &[Run]| runs.iter().map(|run| run.id).collect::<Vec<_>>();
    let all = stand.records.list_runs(None, None, 9).await.expect("read");
    assert_eq!((ids(&all.items), all.next), (ids(&runs).into_iter().rev().collect(), None));
    let first = stand.records.list_runs(None, None, 3).await.expect("read");
    assert_eq!((first.items.len(), first.next), (3, Some(runs[1].id)));
    assert_eq!(ids(&stand.records.list_runs(None, first.next, 3).await.expect("read").items), ids(&runs[..1]));
    assert_eq!(ids(&stand.records.list_runs(Some("acme"), None, 9).await.expect("read").items), [runs[1].id, runs[0].id]);
}

async fn a_run_that_is_cancelled_goes_no_further(stand: Stand) {
    let (endpoint, _) = stand.with_failed(&[1, 2]).await;
    let run = of(endpoint);
    stand.begun(&run).await;
    assert_eq!(stand.claimed(MINE).await, Some(run.id));
    assert_eq!(stand.records.cancel_run(run.id, Some("other")).await.expect("asked"), None);
    let cancelled = stand.records.cancel_run(run.id, Some("acme")).await.expect("asked").expect("it ran");
    assert_eq!((cancelled.status, cancelled.finished_at.is_some()), (RunStatus::Cancelled, true));
    assert_eq!(stand.records.cancel_run(run.id, None).await.expect("asked"), None);
    assert_eq!(stand.records.retry_page(&run, MINE, pace(9)).await.expect("asked"), None);
    assert!(!stand.advance(run.id, MINE, Advance { done: 1, ..Advance::default() }).await);
    assert_eq!((stand.run(run.id).await, stand.claimed(MINE).await), (cancelled, None));
}

async fn one_holder_has_the_page_of_a_run_until_its_lease_is_over(stand: Stand) {
    let run = of(3);
    stand.begun(&run).await;
    assert_eq!(stand.records.claim_run(MINE, SHORT).await.expect("claimed").map(|run| run.id), Some(run.id));
    let taken = eventually(LONG, async || stand.claimed(OTHER).await).await;
    assert_eq!((taken, stand.claimed(MINE).await), (run.id, None));
    assert_eq!(stand.records.retry_page(&run, MINE, pace(9)).await.expect("asked"), None);
    assert!(!stand.advance(run.id, MINE, Advance::default()).await);
    assert!(stand.advance(run.id, OTHER, Advance::default()).await);
    assert_eq!(stand.claimed(MINE).await, Some(run.id), "it was given back");
}

async fn the_run_that_is_due_for_longest_comes_first_and_one_that_rests_is_not_due(stand: Stand) {
    let (first, second) = (of(1), of(2));
    stand.begun(&first).await;
    stand.begun(&second).await;
    assert_eq!((stand.claimed(MINE).await, stand.claimed(MINE).await), (Some(first.id), Some(second.id)));
    for (id, rest) in [(second.id, SHORT), (first.id, LONG)] {
        assert!(stand.advance(id, MINE, Advance { rest, ..Advance::default() }).await);
    }
    assert_eq!(eventually(LONG, async || stand.claimed(MINE).await).await, second.id);
    assert_eq!(stand.claimed(MINE).await, None);
}

async fn a_page_puts_back_what_comes_next_and_moves_on_in_one_commit(stand: Stand) {
    let (endpoint, ids) = stand.with_failed(&[3, 1, 4, 2, 5]).await;
    let run = Run { since: Some(at(2)), until: Some(at(5)), ..of(endpoint) };
    stand.begun(&run).await;
    let first = stand.page(&run, Pace { mark: Some(ids[0]), ..pace(2) }).await;
    assert_eq!(first, RetriedPage { back: ids[1..3].to_vec(), last: false });
    let shown = stand.run(run.id).await;
    assert_eq!((shown.done, shown.refused, shown.position, shown.mark), (2, 0, Some(ids[2].0.to_string()), Some(ids[0])));
    assert_eq!(stand.view(ids[1]).await.next_retry_at, Some(at(50)));
    // It fails once more: that is not for this run.
    assert!(stand.step(1, super::fixtures::state(&event("e2", 2), endpoint, Status::Failed, 2)).await);
    let second = stand.page(&run, pace(2)).await;
    assert_eq!(second, RetriedPage { back: ids[3..4].to_vec(), last: true });
    let shown = stand.run(run.id).await;
    assert_eq!((shown.status, shown.done, shown.mark), (RunStatus::Done, 3, Some(ids[0])));
    assert!(shown.finished_at.is_some() && stand.claimed(MINE).await.is_none());
    assert_eq!(stand.view(ids[1]).await.status, Status::Failed);
    let rested = of(endpoint);
    stand.begun(&rested).await;
    stand.page(&rested, Pace { rest_after_each: LONG, ..pace(1) }).await;
    assert_eq!(stand.claimed(MINE).await, None, "it rests");
}

async fn what_a_run_has_to_do_is_counted(stand: Stand) {
    let (endpoint, _) = stand.with_failed(&[1, 2, 3, 4]).await;
    let run = Run { since: Some(at(2)), until: Some(at(4)), ..of(endpoint) };
    stand.begun(&run).await;
    stand.claimed(MINE).await;
    stand.records.measure_run(&run, OTHER).await.expect("asked");
    assert_eq!(stand.run(run.id).await.total, None);
    stand.records.measure_run(&run, MINE).await.expect("asked");
    assert_eq!(stand.run(run.id).await.total, Some(2));
}

async fn what_is_still_due_is_found_between_two_deliveries(stand: Stand) {
    let (endpoint, ids) = stand.with_failed(&[1, 2, 3, 4]).await;
    stand.records.put_back(&ids[..3], at(50)).await.expect("put back");
    let due = async |range: (usize, usize), at, max| {
        stand.records.still_due(endpoint, (ids[range.0], ids[range.1]), at, max).await.expect("read")
    };
    assert_eq!(due((0, 3), at(50), 9).await, ids[..3]);
    assert_eq!(due((1, 2), at(50), 9).await, ids[1..3]);
    assert_eq!(due((0, 3), at(50), 2).await, ids[..2]);
    assert_eq!(due((0, 3), at(49), 9).await, []);
    assert_eq!(stand.records.still_due(endpoint + 1, (ids[0], ids[3]), at(50), 9).await.expect("read"), []);
}

async fn what_a_page_did_is_written_down_by_its_holder_alone(stand: Stand) {
    let run = Run::new(RunKind::RequeueDeadLetters);
    stand.begun(&run).await;
    assert!(!stand.advance(run.id, MINE, Advance::default()).await);
    stand.claimed(MINE).await;
    let first = Advance { done: 3, refused: 1, position: Some("17".into()), ..Advance::default() };
    assert!(stand.advance(run.id, MINE, first).await);
    assert!(!stand.advance(run.id, MINE, Advance::default()).await, "it was given back");
    stand.claimed(MINE).await;
    assert!(stand.advance(run.id, MINE, Advance { done: 2, ..Advance::default() }).await);
    let shown = stand.run(run.id).await;
    assert_eq!((shown.done, shown.refused, shown.position.as_deref(), shown.status), (5, 1, Some("17"), RunStatus::Running));
    stand.claimed(MINE).await;
    let ended = Advance { ended: Some((RunStatus::Failed, Some("the endpoint was removed".into()))), ..Advance::default() };
    assert!(stand.advance(run.id, MINE, ended).await);
    let shown = stand.run(run.id).await;
    assert_eq!(
        (shown.status, shown.error.as_deref(), shown.finished_at.is_some()),
        (RunStatus::Failed, Some("the endpoint was removed"), true)
    );
}

async fn runs_that_ended_long_ago_are_removed(stand: Stand) {
    let (ended, running) = (of(1), of(2));
    stand.begun(&ended).await;
    stand.begun(&running).await;
    stand.records.cancel_run(ended.id, None).await.expect("cancelled");
    assert_eq!(stand.records.forget_runs(at(0)).await.expect("removed"), 0);
    assert_eq!(stand.records.forget_runs(clock::after(clock::now(), LONG)).await.expect("removed"), 1);
    assert_eq!(stand.records.find_run(ended.id, None).await.expect("read"), None);
    assert_eq!(stand.run(running.id).await.status, RunStatus::Running);
}
