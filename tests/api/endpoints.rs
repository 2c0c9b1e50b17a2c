//! Register, list, look at, change, remove.

use serde_json::{Value, json};

use super::{fields, problem};
use crate::harness::{World, both_modes, seconds_between, time};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

fn registration() -> Value {
    json!({"name": "shop", "url": "https://example.com/hooks", "event_types": ["order.*", "a"]})
}

async fn refused(world: &World, change: &Value) -> Vec<String> {
    let mut body = registration();
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    problem(&world.api.post(ENDPOINTS, &body).await, 400)
}

both_modes! {
    async fn a_registration_answers_201_with_the_endpoint_and_its_secret(setup: Setup) {
        let world = setup.await;
        let created = world.api.post(ENDPOINTS, &registration()).await.expect(201);
        assert!(created["id"].is_i64() || created["id"].is_u64(), "{created}");
        let secret = created["secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
        assert_eq!((&created["name"], &created["url"]), (&json!("shop"), &json!("https://example.com/hooks")));
        assert_eq!((&created["event_types"], &created["is_active"], &created["tenant"]), (&json!(["order.*", "a"]), &json!(true), &json!("default")));
        assert!(created["created_at"].as_str().unwrap().ends_with('Z'), "{created}");
        assert!(seconds_between(time(&created["created_at"]), posthaste::model::clock::now()).abs() < 60.0);
    }

    async fn everything_that_may_be_chosen_is_kept(setup: Setup) {
        let world = setup.await;
        let chosen = json!({
            "tenant": "acme", "secret": "a-secret-of-my-own", "headers": {"X-Own": "value", "Authorization": "Bearer x"}, "timeout": 2.5,
            "max_retries": 7, "retry_delay": 0.5, "retry_schedule": [1.0, 2.5], "rate_limit": {"max_requests": 10, "window": 60.0}, "in_flight": 4,
        });
        let mut body = registration();
        body.as_object_mut().unwrap().extend(chosen.as_object().unwrap().clone());
        let created = world.api.post(ENDPOINTS, &body).await.expect(201);
        let shown = world.api.get(&format!("{ENDPOINTS}/{}", created["id"])).await.expect(200);
        for (field, value) in chosen.as_object().unwrap() {
            assert_eq!(&created[field], value, "{field}");
            assert_eq!(shown.get(field), Some(value).filter(|_| field != "secret"), "{field}");
        }
    }

    async fn a_secret_is_shown_when_it_is_made_and_never_again(setup: Setup) {
        let world = setup.await;
        let created = world.api.post(ENDPOINTS, &registration()).await.expect(201);
        let (path, secret) = (format!("{ENDPOINTS}/{}", created["id"]), created["secret"].as_str().unwrap());
        let answers = [
            world.api.get(&path).await,
            world.api.get(ENDPOINTS).await,
            world.api.patch(&path, &json!({"name": "new"})).await,
        ];
        for answer in answers {
            assert!(answer.status == 200 && !answer.text.contains(secret) && !answer.text.contains("\"secret\""), "{}", answer.text);
        }
        assert!(!world.app.stderr().contains(secret));
    }

    async fn a_wrong_registration_names_the_field(setup: Setup) {
        let world = setup.await;
        let table = [
            ("name", json!("")), ("name", json!(7)), ("name", json!("x".repeat(256))), ("name", Value::Null),
            ("url", json!("nowhere")), ("url", json!("ftp://example.com/")), ("url", json!("https://user:password@example.com/")),
            ("url", json!(format!("https://example.com/{}", "x".repeat(2048)))), ("url", json!("http://10.0.0.1/")),
            ("event_types", json!([])), ("event_types", json!(["order*"])), ("event_types", json!(["*.created"])), ("event_types", json!(["no spaces"])), ("event_types", json!("*")),
            ("tenant", json!("no spaces")), ("tenant", json!("")), ("secret", json!("short")), ("secret", json!("whsec_not base64")),
            ("timeout", json!(0)), ("timeout", json!(-1)), ("timeout", json!("1")), ("timeout", json!(3601)),
            ("max_retries", json!(0)), ("max_retries", json!(1.5)), ("max_retries", json!(1001)), ("retry_delay", json!(-1)),
            ("retry_schedule", json!([])), ("retry_schedule", json!("weekly")), ("retry_schedule", json!([1, -1])),
            ("in_flight", json!(0)), ("is_active", json!("yes")),
        ];
        for (field, value) in table {
            assert_eq!(refused(&world, &json!({field: value})).await, [field], "{field}: {value}");
        }
        for limit in [json!({"max_requests": 0, "window": 1}), json!([1, 2]), json!([]), json!(7)] {
            assert_eq!(refused(&world, &json!({"rate_limit": limit})).await, ["rate_limit"], "{limit}");
        }
        assert_eq!(refused(&world, &json!({"retries": 3})).await.len(), 1, "a field that does not exist");
        assert!(world.api.get(ENDPOINTS).await.expect(200)["items"].as_array().unwrap().is_empty());
    }

    async fn all_that_is_wrong_is_named_at_once(setup: Setup) {
        let world = setup.await;
        let body = json!({"url": "ftp://x/", "timeout": 0, "headers": {"Host": "x", "X-Own": "a\r\nb", "b d": "c"}});
        let mut named = problem(&world.api.post(ENDPOINTS, &body).await, 400);
        named.sort();
        assert_eq!(named, ["event_types", "headers.Host", "headers.X-Own", "headers.b d", "name", "timeout", "url"]);
    }

    async fn an_item_of_the_list_carries_its_last_24_hours(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [204, 204, 204, 500]);
        let id = world.register("/", &json!({"name": "shop", "max_retries": 1, "in_flight": 1})).await;
        world.register("/unused", &json!({"event_types": ["never"]})).await;
        for number in 0..4 {
            world.api.send_id(&format!("e{number}")).await;
            world.api.ended(&format!("e{number}")).await;
        }
        let list = world.api.get(ENDPOINTS).await.expect(200);
        let items = list["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[1]["id"], &list["next_cursor"]), (2, &json!(id), &Value::Null), "newest first: {list}");
        let totals = |item: &Value| ["total_deliveries_24h", "successful_deliveries_24h", "success_rate_24h"].map(|name| item[name].as_f64().unwrap());
        assert_eq!((totals(&items[1]), totals(&items[0])), ([4.0, 3.0, 75.0], [0.0; 3]));
        for name in ["id", "name", "url", "event_types", "is_active"] {
            assert!(fields(&items[1]).contains(&name), "{name} in {list}");
        }
    }

    async fn a_change_leaves_what_it_does_not_name(setup: Setup) {
        let world = setup.await;
        let id = world.register("/old", &json!({"name": "old", "timeout": 3, "in_flight": 2, "headers": {"X-Own": "a"}})).await;
        let path = format!("{ENDPOINTS}/{id}");
        let before = world.api.get(&path).await.expect(200);
        let changed = world.api.patch(&path, &json!({"url": world.receiver.url("/new"), "in_flight": null})).await.expect(200);
        let differ: Vec<_> = fields(&before).into_iter().filter(|name| before[name] != changed[name]).map(str::to_owned).collect();
        assert_eq!(differ, ["in_flight", "updated_at", "url"]);
        assert!(time(&changed["updated_at"]) > time(&before["updated_at"]));
        world.api.send_id("e").await;
        world.api.ended("e").await;
        assert_eq!(world.receiver.requests()[0].path, "/new");
    }

    async fn a_wrong_change_names_the_field_and_changes_nothing(setup: Setup) {
        let world = setup.await;
        let path = format!("{ENDPOINTS}/{}", world.register("/", &json!({})).await);
        let before = world.api.get(&path).await.expect(200);
        for (field, value) in [("url", json!("nowhere")), ("tenant", json!("other")), ("secret", json!("another-secret")), ("name", json!("")), ("id", json!(7)), ("rate_limit", json!([1, 2]))] {
            assert_eq!(problem(&world.api.patch(&path, &json!({"timeout": 9, field: value})).await, 400).len(), 1, "{field}");
        }
        assert_eq!(world.api.get(&path).await.expect(200), before);
    }

    async fn a_removed_endpoint_gets_nothing_more_and_its_deliveries_stay_listed(setup: Setup) {
        let world = setup.await;
        let path = format!("{ENDPOINTS}/{}", world.register("/", &json!({"name": "gone"})).await);
        world.api.send_id("before").await;
        world.api.ended("before").await;
        assert_eq!(world.api.delete(&path).await.status, 204);
        world.register("/other", &json!({"name": "other"})).await;
        world.api.send_id("after").await;
        assert_eq!(world.api.ended("after").await["endpoint_name"], "other");
        assert_eq!((world.api.deliveries("event_id=after").await.len(), world.receiver.requests_to("/").len()), (1, 1));
        assert_eq!(world.api.deliveries("event_id=before").await[0]["endpoint_name"], "gone");
        for answer in [world.api.get(&path).await, world.api.patch(&path, &json!({"name": "a"})).await, world.api.delete(&path).await] {
            problem(&answer, 404);
        }
    }

    async fn an_endpoint_that_does_not_exist_is_not_found(setup: Setup) {
        let world = setup.await;
        for id in ["4711", "-1", "seven", "99999999999999999999", "%00"] {
            problem(&world.api.get(&format!("{ENDPOINTS}/{id}")).await, 404);
        }
    }
}
