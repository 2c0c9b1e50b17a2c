//! Every answer has the id of its request, and so has every line that is logged about it.

use serde_json::json;

use crate::harness::{Stores, both_modes, world};

both_modes! {
    async fn an_answer_has_the_id_that_its_request_brought_or_a_new_one(setup: Setup) {
        let world = setup.await;
        let id_of = async |path: &str, id: Option<&str>| {
            let request = world.api.client.get(format!("{}{path}", world.app.url()));
            let request = if let Some(id) = id { request.header("x-request-id", id) } else { request };
            let answer = request.send().await.unwrap();
            answer.headers()["x-request-id"].to_str().unwrap().to_owned()
        };
        for path in ["/health", "/api/webhooks/stats", "/api/webhooks/endpoints/4711", "/nowhere", "/api/webhooks/stats?x=1"] {
            assert_eq!(id_of(path, Some("abc-123.X_y:/+=")).await, "abc-123.X_y:/+=", "{path}");
            let made = id_of(path, None).await;
            assert!(made.len() == 36 && made != id_of(path, None).await, "{made}");
            for not_sane in ["", "two words", "a\u{7f}b", &"x".repeat(129), "a\"b", "{}"] {
                if let Ok(value) = reqwest::header::HeaderValue::from_str(not_sane) {
                    let made = id_of(path, Some(value.to_str().unwrap_or("é"))).await;
                    assert!(made.len() == 36, "{not_sane}: {made}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_about_a_request_have_its_id_in_both_formats() {
    for format in ["text", "json"] {
        let stores = Stores::production().await;
        let Stores::Production { postgres_url, .. } = &stores else { unreachable!("production") };
        let env = [("POSTHASTE__LOG__FORMAT".to_owned(), format.to_owned())];
        let process = world::launch(&stores, "api", &env).start().await;
        let connection = crate::harness::postgres::connect(postgres_url).await.unwrap();
        // What the server refuses is logged, and the answer says no more than that.
        connection.batch_execute("ALTER TABLE webhook_endpoints RENAME TO webhook_endpoints_gone").await.unwrap();
        let request = process.api().client.get(format!("{}/api/webhooks/endpoints", process.url())).header("x-request-id", "find-me-4711");
        assert_eq!(request.send().await.unwrap().status(), 500);
        let line = crate::harness::eventually(crate::harness::LONG, async || {
            process.stderr().lines().find(|line| line.contains("a request failed")).map(str::to_owned)
        })
        .await;
        assert!(line.contains("find-me-4711"), "{line}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["span"]["request_id"], json!("find-me-4711"));
        }
    }
}
