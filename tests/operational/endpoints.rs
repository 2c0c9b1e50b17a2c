//! `webhook.endpoint.disabled` and `webhook.endpoint.recovered`.

use serde_json::{Value, json};

use super::{DISABLE_AFTER, DISABLED, RECOVERED, path_of};
use crate::harness::{LONG, both_modes, eventually};

both_modes! {
    async fn an_endpoint_that_failed_for_too_long_is_told_once(setup: Setup) {
        let world = setup.set(DISABLE_AFTER.0, DISABLE_AFTER.1).await;
        world.listens("/told", &[DISABLED]).await;
        world.listens("/star", &["*", "webhook.*"]).await;
        world.register("/tenant", &json!({"tenant": "acme", "event_types": [DISABLED]})).await;
        world.receiver.statuses("/bad", [500]);
        let url = format!("{}?token=hidden#part", world.receiver.url("/bad"));
        world.receiver.statuses("/bad?token=hidden", [500]);
        let endpoint = world.tireless("/bad", &json!({"url": url})).await;
        for number in 0..20 {
            world.event_for("/bad", &format!("e{number}")).await;
        }
        let disabled = world.is_disabled(endpoint).await;
        let told = world.come_to("/told", 1).await.remove(0);
        let data = json!({
            "endpoint_id": endpoint, "endpoint_name": "/bad", "url": world.receiver.url("/bad"),
            "failing_since": disabled["failing_since"], "reason": disabled["disabled_reason"],
        });
        assert_eq!(told.json()["data"], data);
        world.settled().await;
        let operational = |path: &str| world.receiver.requests_to(path).iter().filter(|request| request.event_id().starts_with("webhook.")).count();
        assert_eq!(["/told", "/star", "/tenant"].map(operational), [1, 0, 0]);
    }

    async fn an_endpoint_that_answers_410_is_told_and_one_that_its_owner_disables_is_not(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DISABLED]).await;
        world.receiver.statuses("/gone", [410]);
        let (gone, off) = (world.tireless("/gone", &json!({})).await, world.tireless("/off", &json!({})).await);
        world.api.patch(&path_of(off), &json!({"is_active": false})).await.expect(200);
        world.event_for("/gone", "e").await;
        let told = world.come_to("/told", 1).await.remove(0);
        let data = &told.json()["data"];
        assert_eq!((&data["endpoint_id"], &data["reason"], &data["failing_since"]), (&json!(gone), &json!("the receiver answered 410 Gone"), &Value::Null));
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/told").len(), 1);
    }

    async fn an_endpoint_that_works_again_is_told(setup: Setup) {
        let world = setup.set("POSTHASTE__ENDPOINTS__DISABLE_AFTER", "20").await;
        world.listens("/told", &[RECOVERED]).await;
        world.receiver.statuses("/heals", [500]);
        let endpoint = world.tireless("/heals", &json!({})).await;
        world.event_for("/heals", "e").await;
        let failing = world.starts_to_fail(endpoint).await;
        world.receiver.statuses("/heals", [204]);
        let told = world.come_to("/told", 1).await.remove(0);
        let data = json!({
            "endpoint_id": endpoint, "endpoint_name": "/heals", "url": world.receiver.url("/heals"), "failing_since": failing["failing_since"],
        });
        assert_eq!((told.header("x-webhook-event"), &told.json()["data"]), (RECOVERED, &data));
        world.event_for("/heals", "another").await;
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/told").len(), 1);
    }

    async fn the_first_success_after_it_is_enabled_again_is_told(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[RECOVERED]).await;
        world.receiver.statuses("/gone", [410, 204]);
        let endpoint = world.tireless("/gone", &json!({})).await;
        world.event_for("/gone", "e").await;
        world.is_disabled(endpoint).await;
        world.api.patch(&path_of(endpoint), &json!({"is_active": true})).await.expect(200);
        for id in ["works", "works on"] {
            world.event_for("/gone", &id.replace(' ', "-")).await;
            world.settled().await;
        }
        let told = world.come_to("/told", 1).await;
        assert_eq!((told.len(), &told[0].json()["data"]["endpoint_id"]), (1, &json!(endpoint)));
        assert_eq!(told[0].json()["data"]["failing_since"], Value::Null);
    }

    async fn what_applications_enqueue_under_these_names_goes_to_those_who_name_them(setup: Setup) {
        let world = setup.await;
        world.listens("/told", &[DISABLED]).await;
        world.listens("/star", &["*", "webhook.*"]).await;
        for door in world.doors() {
            let event = json!({"id": format!("{door:?}"), "event_type": DISABLED, "data": 1}).to_string();
            world.enqueue(door, &[event]).await;
        }
        let count = world.doors().len();
        eventually(LONG, async || (world.receiver.requests_to("/told").len() == count).then_some(())).await;
        world.settled().await;
        assert_eq!(world.receiver.requests_to("/star").len(), 0);
    }
}
