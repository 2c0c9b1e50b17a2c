//! Each endpoint has a lane of its own: what does not fit waits on the schedule, and costs no attempt.

use serde_json::json;

use crate::harness::{Door, Gate, LONG, Reply, both_modes, eventually};

both_modes! {
    async fn an_endpoint_has_no_more_requests_at_once_than_its_cap_and_the_rest_waits_without_attempts(setup: Setup) {
        let world = setup.await;
        let gate = Gate::closed();
        for path in ["/default", "/own"] {
            let gate = gate.clone();
            world.receiver.rule(path, move |_| Reply::status(204).behind(&gate));
        }
        world.register("/default", &json!({"name": "default"})).await;
        world.register("/own", &json!({"name": "own", "in_flight": 3})).await;
        let events: Vec<_> = (0..100).map(|number| json!({"id": format!("e{number}"), "event_type": "a", "data": 1}).to_string()).collect();
        world.enqueue(Door::Http, &events).await;
        let peaks = || (world.receiver.peak("/default"), world.receiver.peak("/own"));
        eventually(LONG, async || (peaks() == (32, 3)).then_some(())).await;
        let waiting = "webhook_deliveries WHERE status = 'pending' AND attempt_count = 0";
        eventually(LONG, async || (world.rows(waiting).await >= 200 - 35).then_some(())).await;
        gate.open();
        let delivered = world.api.wait_for_deliveries("delivered", 35).await;
        assert!(delivered.iter().all(|delivery| delivery["attempt_count"] == 1));
        assert_eq!(peaks(), (32, 3));
    }
}
