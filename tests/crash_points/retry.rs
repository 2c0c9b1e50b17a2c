//! While the next attempt of a waiting delivery is made.

use super::{EVENTS, assert_whole, ended_by_the_fault, event, points, with_fault, world};
use crate::harness::{Door, Setup, time};

async fn a_process_that_ends_there_loses_nothing(setup: Setup, fault: &str) {
    let mut world = world(setup, 2.0).await;
    world.enqueue(Door::Http, &(0..EVENTS).map(event).collect::<Vec<_>>()).await;
    world.api.wait_for_deliveries("retrying", EVENTS).await;
    let process = with_fault(&mut world, fault).await;
    ended_by_the_fault(process).await;
    world.start_again().await;
    assert_whole(&world).await;
}

points! { a_process_that_ends_there_loses_nothing:
    production {
        due_deliveries_are_claimed("due_claimed=return")
        due_deliveries_are_sent("sent=10*off->return")
        due_deliveries_are_recorded("recorded=return")
        due_deliveries_are_settled("settled=return")
    }
    embedded {
        due_deliveries_are_claimed("due_claimed=return")
        due_deliveries_are_sent("sent=10*off->return")
        due_deliveries_are_recorded("recorded=return")
        due_deliveries_are_settled("settled=return")
    }
}

/// The next attempt of a delivery whose worker died before it could schedule it comes when it is due, not when the lease ends.
async fn the_next_attempt_comes_when_it_is_due(setup: Setup, fault: &str) {
    let mut world = world(setup, 4.0).await;
    world.receiver.rule("/retry", |request| crate::harness::Reply::status(if request.attempt() < 3 { 500 } else { 204 }));
    world.enqueue(Door::Http, &[event(0)]).await;
    let waiting = world.api.wait_for_deliveries("retrying", 1).await.remove(0);
    let process = with_fault(&mut world, fault).await;
    ended_by_the_fault(process).await;
    world.start_again().await;
    let id = waiting["id"].as_str().expect("an id");
    let between = world.api.delivery(id).await;
    assert_eq!(between["attempt_count"], 2, "{between}");
    let due = time(&between["next_retry_at"]);
    world.api.wait_for_deliveries("delivered", 2).await;
    let third = world.receiver.requests_to("/retry").into_iter().find(|request| request.attempt() == 3).expect("it was delivered");
    assert!(third.wall >= due, "the third attempt came at {} and was due at {due}", third.wall);
}

mod in_time {
    use super::*;

    points! { the_next_attempt_comes_when_it_is_due:
        production {
            a_failed_attempt_is_recorded_and_not_settled("recorded=return")
        }
        embedded {
            a_failed_attempt_is_recorded_and_not_settled("recorded=return")
        }
    }
}
