//! An API that others can reach needs a token.

use super::file;
use crate::harness::{Launch, Stores, places, world};

async fn serve(role: &str, listen: &str) -> Launch {
    world::launch(&Stores::production().await, role, &[]).set("POSTHASTE__HTTP__LISTEN", listen)
}

#[tokio::test]
async fn an_api_without_a_token_listens_on_loopback_alone() {
    for role in ["all", "api"] {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000"] {
            let finished = serve(role, listen).await.finish().await;
            assert_eq!(finished.code, Some(64), "{role} {listen}: {}", finished.stderr);
            assert!(finished.stderr.contains("http.tokens") && finished.stderr.contains(listen), "{}", finished.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_an_api_with_a_token_listen_anywhere() {
    let stores = Stores::production().await;
    for (role, token) in [("worker", ""), ("api", "0123456789abcdef"), ("all", "0123456789abcdef")] {
        let port = places::free_port();
        let listen = format!("0.0.0.0:{port}");
        let launch = world::launch(&stores, role, &[]).on_port(port).set("POSTHASTE__HTTP__LISTEN", &listen);
        launch.set("POSTHASTE__HTTP__TOKENS", token).start().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_the_environment_are_separated_by_commas() {
    let tokens = "one-0123456789abcdef, two-0123456789abcdef";
    let process = world::launch(&Stores::production().await, "api", &[]).set("POSTHASTE__HTTP__TOKENS", tokens).start().await;
    for (token, status) in [("one-0123456789abcdef", 200), ("two-0123456789abcdef", 200), (tokens, 401)] {
        assert_eq!(process.api().with_token(token).get("/api/webhooks/stats").await.status, status, "{token}");
    }
}

#[tokio::test]
async fn a_token_that_can_be_guessed_or_sent_by_nobody_is_a_problem_and_is_not_shown() {
    for tokens in
        ["[\"hunter2\"]", "[\"hunter2 hunter2 hunter2\"]", "[{ token = \"hunter2hunter2hunter2\", tenant = \"no spaces\" }]", "[{}]"]
    {
        let path = file(&format!("[http]\ntokens = {tokens}\n"));
        let finished = Launch::new(["dev", "--config", path.to_str().unwrap()]).finish().await;
        assert_eq!(finished.code, Some(64), "{tokens}: {}", finished.stderr);
        assert!(finished.stderr.contains("http.tokens") && !finished.stderr.contains("hunter2"), "{}", finished.stderr);
    }
}
