//! While what an earlier crash left behind is put back.

use super::{assert_whole, ended_by_the_fault, enqueue, faulty, points, ready, with_fault, world};
use crate::harness::{Door, Setup};

/// One process ends at `first`, and the one that puts its work back ends at `second`.
async fn two_processes_that_end_there_lose_nothing(setup: Setup, door: Door, first: &str, second: &str) {
    let mut world = world(setup, 1.0).await;
    let mut process = with_fault(&mut world, first).await;
    ready(&mut process).await;
    let refused = enqueue(&world, &process, door).await;
    ended_by_the_fault(process).await;
    ended_by_the_fault(faulty(&world, second)).await;
    world.start_again().await;
    if !refused.is_empty() {
        world.enqueue(Door::Http, &refused).await;
    }
    assert_whole(&world).await;
}

points! { two_processes_that_end_there_lose_nothing:
    production {
        entries_are_taken_over(Door::List, "admitted=return", "taken_over=return")
        accepted_events_are_taken_over(Door::Http, "admitted=return", "taken_over=return")
        accepted_events_are_found(Door::Http, "answered=5*off->return", "found_unrouted=return")
        waiting_deliveries_are_found(Door::Http, "recorded=return", "found_overdue=return")
    }
}
