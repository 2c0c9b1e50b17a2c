//! A run ends before it is done.

use serde_json::json;

use super::path_of;
use crate::harness::both_modes;

both_modes! {
    async fn what_a_cancelled_run_has_not_put_back_stays_failed(setup: Setup) {
        let world = setup.await;
        let endpoint = world.failed("/", 2500, &json!({})).await;
        let gate = world.closed("/");
        let run = world.start_run(endpoint).await;
        world.run_is_full(&run).await;
        let cancel = format!("{}/cancel", path_of(&run));
        let cancelled = world.api.post(&cancel, &json!(null)).await.expect(200);
        assert_eq!((&cancelled["status"], &cancelled["done"]), (&json!("cancelled"), &json!(2000)));
        gate.open();
        world.delivered(endpoint, 2000).await;
        assert_eq!(world.in_status(endpoint, "failed").await, 500);
        assert_eq!(world.run(&run).await, cancelled);
        let again = world.api.post(&cancel, &json!(null)).await;
        assert!(again.status == 409 && again.text.contains("cancelled"), "{}", again.text);
        // The next one does what is left.
        let next = world.start_run(endpoint).await;
        world.run_is(&next, |run| run["status"] == "done" && run["done"] == 500).await;
        world.delivered(endpoint, 2500).await;
        assert_eq!(world.not_attempted_twice(endpoint).await, 0);
    }

    async fn a_run_whose_endpoint_is_disabled_or_removed_ends_with_that_reason(setup: Setup) {
        let world = setup.await;
        for (path, how) in [("/disabled", "disabled"), ("/removed", "removed")] {
            let endpoint = world.failed(path, 2500, &json!({})).await;
            let gate = world.closed(path);
            let run = world.start_run(endpoint).await;
            world.run_is_full(&run).await;
            let shown = format!("/api/webhooks/endpoints/{endpoint}");
            if how == "disabled" {
                world.api.patch(&shown, &json!({"is_active": false})).await.expect(200);
            } else {
                world.api.delete(&shown).await.expect(204);
            }
            let ended = world.run_is(&run, |run| run["status"] != "running").await;
            assert_eq!(ended["status"], "failed");
            assert!(ended["error"].as_str().unwrap().contains(how), "{ended}");
            gate.open();
        }
    }
}
