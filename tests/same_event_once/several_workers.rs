//! The same event at the same instant, while several workers wait for work.

use futures_util::future::join_all;
use serde_json::json;

use super::{assert_once, event, with_two_endpoints};
use crate::harness::{Door, Gate, Reply, World};

/// Pushes the same entries on three connections at the same instant.
async fn push_three_times(world: &World, entries: &[String]) {
    let connections = [world.redis().await, world.redis().await, world.redis().await];
    join_all(connections.map(async |mut connection| {
        let push = redis::cmd("LPUSH").arg(world.key("webhook_events")).arg(entries).to_owned();
        push.query_async::<()>(&mut connection).await.expect("the server runs");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_idle_workers_and_one_event_pushed_three_times_send_it_once() {
    let world = with_two_endpoints(World::production()).await;
    let _others = (world.another("worker").await, world.another("worker").await);
    let ids: Vec<_> = (0..50).map(|number| format!("e{number}")).collect();
    for id in &ids {
        push_three_times(&world, &[event(id)]).await;
        world.arrived(id).await;
    }
    assert_once(&world, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_busy_workers_and_a_thousand_events_pushed_three_times_send_each_once() {
    let world = with_two_endpoints(World::production()).await;
    let _others = (world.another("worker").await, world.another("worker").await);
    let ids: Vec<_> = (0..1000).map(|number| format!("e{number}")).collect();
    push_three_times(&world, &ids.iter().map(|id| event(id)).collect::<Vec<_>>()).await;
    assert_once(&world, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_both_doors_of_three_workers_at_the_same_instant_each_event_is_sent_once() {
    let world = with_two_endpoints(World::production()).await;
    let others = [world.another("worker").await, world.another("all").await];
    let other_api = others[1].api();
    let ids: Vec<_> = (0..40).map(|number| format!("e{number}")).collect();
    for id in &ids {
        let entry = [event(id)];
        let pushed = push_three_times(&world, &entry);
        let posted = world.enqueue(Door::Http, &entry);
        let posted_elsewhere = other_api.post_text("/api/webhooks/events", &entry[0]);
        let ((), (), answer) = tokio::join!(pushed, posted, posted_elsewhere);
        answer.expect(202);
    }
    assert_once(&world, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_slow_endpoint_holds_it_in_another_worker_it_is_not_sent_again() {
    let world = World::production().await;
    let gate = Gate::closed();
    world.receiver.script("/a", [Reply::status(204).behind(&gate)]);
    world.register("/a", &json!({})).await;
    world.push(&[event("e")]).await;
    world.arrived("e").await;
    // The first worker is in the middle of its request, and has recorded nothing.
    let _other = world.another("worker").await;
    for _ in 0..5 {
        push_three_times(&world, &[event("e")]).await;
        world.enqueue(Door::Http, &[event("e")]).await;
    }
    world.push(&[event("last")]).await;
    world.arrived("last").await;
    gate.open();
    world.settled().await;
    assert_eq!(world.receiver.count(), 2);
}
