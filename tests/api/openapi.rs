//! The description of the API, and the page that shows it.

use serde_json::Value;

use super::{fields, problem};
use crate::harness::{World, both_modes};
use crate::signing::by_hand::{plain_signature, standard_signature};

/// The text of the block in ``` after that heading.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a block");
    rest.split("\n```").next().unwrap()
}

/// The example of a header.
fn header<'a>(request: &'a Value, name: &str) -> &'a Value {
    let parameters = request["parameters"].as_array().unwrap();
    &parameters.iter().find(|parameter| parameter["name"] == name).unwrap_or_else(|| panic!("{name}"))["example"]
}

both_modes! {
    async fn the_description_and_its_page_need_no_token(setup: Setup) {
        let world = setup.set("POSTHASTE__HTTP__TOKENS", "some-token-0123456789").await;
        problem(&world.api.get("/api/webhooks/stats").await, 401);
        let document = world.api.get("/openapi.json").await;
        assert_eq!((document.status, &*document.content_type), (200, "application/json"));
        assert!(document.json["openapi"].as_str().unwrap().starts_with("3.1."));
        let page = world.api.get("/docs").await;
        assert_eq!((page.status, &*page.content_type), (200, "text/html; charset=utf-8"));
        assert!(page.text.contains("/api/webhooks/<wbr>endpoints") || page.text.contains("/<wbr>api/<wbr>webhooks/<wbr>endpoints"));
    }

    async fn the_request_of_the_example_is_signed_as_real_ones_are(setup: Setup) {
        let world = setup.await;
        let document = world.api.get("/openapi.json").await.expect(200);
        let request = &document["webhooks"]["event"]["post"];
        let text = request["description"].as_str().unwrap();
        let body = block(text, "json");
        let secret = text.split('`').find(|word| word.starts_with("whsec_")).unwrap();
        let example = &request["requestBody"]["content"]["application/json"]["example"];
        assert_eq!(&serde_json::from_str::<Value>(body).unwrap(), example);
        let (id, at) = (header(request, "webhook-id").as_str().unwrap(), header(request, "webhook-timestamp").to_string());
        let (plain, standard) = (plain_signature(secret, body.as_bytes()), standard_signature(secret, id, &at, body.as_bytes()));
        assert_eq!(*header(request, "X-Webhook-Signature"), *plain);
        assert_eq!(*header(request, "webhook-signature"), *standard);
        assert_eq!(block(text, "text"), format!("X-Webhook-Signature: {plain}\nwebhook-signature: {standard}"));
        assert!(text.contains(&format!("`{id}` at `{at}`")));
    }

    async fn a_real_request_has_the_headers_and_the_fields_that_are_described(setup: Setup) {
        let world = setup.await;
        world.register("/", &serde_json::json!({})).await;
        world.api.send_id("e").await;
        let received = world.receiver.wait_for(1).await;
        let document = world.api.get("/openapi.json").await.expect(200);
        let request = &document["webhooks"]["event"]["post"];
        for parameter in request["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            assert_eq!(received[0].headers.contains_key(name), parameter["required"].as_bool().unwrap(), "{name}");
        }
        // What every request has, and what is described as its content type.
        let usual = ["content-type", "content-length", "host", "accept", "accept-encoding"];
        let described: Vec<_> = request["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_lowercase()).collect();
        for name in received[0].headers.keys() {
            assert!(usual.contains(&name.as_str()) || described.iter().any(|one| one == name.as_str()), "{name} is not described");
        }
        let body: Value = serde_json::from_slice(&received[0].body).unwrap();
        let schema = &request["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(fields(&body), fields(&schema["properties"]));
    }

    async fn a_path_that_is_not_utf_8_and_filters_that_nothing_can_match_are_problems(setup: Setup) {
        let world = setup.await;
        for path in ["endpoints/%FF", "deliveries/%FF"] {
            problem(&world.api.get(&format!("/api/webhooks/{path}")).await, 400);
        }
        let query = "event_id=%00&event_type=a%20b&tenant=%00&endpoint_id=0";
        let named = problem(&world.api.get(&format!("/api/webhooks/deliveries?{query}")).await, 400);
        assert_eq!(named, ["tenant", "endpoint_id", "event_id", "event_type"]);
        assert_eq!(problem(&world.api.get("/api/webhooks/stats?tenant=%00").await, 400), ["tenant"]);
        assert_eq!(problem(&world.api.get("/api/webhooks/endpoints?tenant=%FF").await, 400), ["tenant"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_alone_describes_nothing() {
    let world = World::production().await;
    let worker = world.another("worker").await;
    for path in ["/openapi.json", "/docs"] {
        problem(&worker.api().get(path).await, 404);
    }
}
