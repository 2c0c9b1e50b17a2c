//! While an event is on its way to its first attempts.

use super::{assert_whole, ended_by_the_fault, enqueue, points, ready, waits_for_entries, with_fault, world};
use crate::harness::{Door, Setup};

async fn a_process_that_ends_there_loses_nothing(setup: Setup, door: Door, fault: &str) {
    let mut world = world(setup, 0.3).await;
    let mut process = with_fault(&mut world, fault).await;
    ready(&mut process).await;
    if door == Door::List {
        waits_for_entries(&world).await;
    }
    let refused = enqueue(&world, &process, door).await;
    ended_by_the_fault(process).await;
    world.start_again().await;
    if !refused.is_empty() {
        world.enqueue(Door::Http, &refused).await;
    }
    assert_whole(&world).await;
}

points! { a_process_that_ends_there_loses_nothing:
    production {
        an_entry_that_came_while_a_worker_waited_is_moved(Door::List, "moved=return")
        entries_are_claimed(Door::List, "claimed=return")
        entries_are_reserved(Door::List, "reserved=return")
        entries_are_looked_up(Door::List, "admitted=return")
        entries_are_sent(Door::List, "sent=30*off->return")
        entries_are_recorded(Door::List, "recorded=return")
        entries_are_settled(Door::List, "settled=return")
        events_are_accepted_and_the_answer_is_not_given(Door::Http, "accepted=10*off->return")
        the_answer_is_given_and_no_worker_knows(Door::Http, "answered=10*off->return")
        an_accepted_event_is_popped_while_a_worker_waited(Door::Http, "popped=return")
        accepted_events_are_claimed(Door::Http, "claimed=return")
        accepted_events_are_reserved(Door::Http, "reserved=return")
        accepted_events_are_looked_up(Door::Http, "admitted=return")
        accepted_events_are_sent(Door::Http, "sent=30*off->return")
        accepted_events_are_recorded(Door::Http, "recorded=return")
        accepted_events_are_settled(Door::Http, "settled=return")
    }
    embedded {
        events_are_accepted_and_the_answer_is_not_given(Door::Http, "accepted=10*off->return")
        the_answer_is_given_and_no_worker_knows(Door::Http, "answered=10*off->return")
        accepted_events_are_claimed(Door::Http, "claimed=return")
        accepted_events_are_reserved(Door::Http, "reserved=return")
        accepted_events_are_looked_up(Door::Http, "admitted=return")
        accepted_events_are_sent(Door::Http, "sent=30*off->return")
        accepted_events_are_recorded(Door::Http, "recorded=return")
        accepted_events_are_settled(Door::Http, "settled=return")
    }
}
