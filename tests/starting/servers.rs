//! A server that is away is waited for.

use serde_json::Value;

use crate::harness::{LONG, Launch, Postgres, Process, Proxy, Receiver, Redis, eventually, places};

/// Waits until it says so much on standard error, and returns all of it.
async fn says(process: &Process, text: &str) -> String {
    eventually(LONG, async || Some(process.stderr()).filter(|said| said.contains(text))).await
}

/// The parts that are not ready, with the reasons.
async fn not_ready(process: &Process) -> Vec<(String, String)> {
    let answer = eventually(LONG, async || {
        let listening = process.api().ready().await.is_some();
        if listening { Some(process.api().get("/ready").await) } else { None }
    })
    .await;
    assert_eq!((answer.status, &*answer.content_type), (503, "application/problem+json"), "{}", answer.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer.json["errors"].as_array().unwrap().iter().map(|error| (text(&error["field"]), text(&error["message"]))).collect()
}

#[track_caller]
fn assert_names(parts: &[(String, String)], part: &str, address: &str) {
    let found = parts.iter().find(|(name, _)| name == part);
    assert!(found.is_some_and(|(_, message)| message.contains(address)), "{part} at {address} in {parts:?}");
}

/// It stays, is healthy, is not ready, and says which part it waits for, without the password.
async fn assert_waits_for(process: &mut Process, part: &str, address: &str) {
    let parts = not_ready(process).await;
    assert_names(&parts, part, address);
    let said = says(process, address).await;
    assert!(said.contains(part), "{said}");
    assert!(!said.contains("hunter2") && !format!("{parts:?}").contains("hunter2"), "{said}{parts:?}");
    process.api().get("/health").await.expect(200);
    process.api().get("/metrics").await.expect(200);
    assert!(process.status().is_none(), "it waits");
}

/// It delivers.
async fn assert_works(process: &Process) {
    eventually(LONG, async || (process.api().ready().await == Some(200)).then_some(())).await;
    let receiver = Receiver::start().await;
    process.api().register(&receiver.url("/"), &Value::Null).await;
    process.api().send_id("e").await;
    receiver.wait_for(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_postgres_and_goes_on_when_it_appears() {
    let (server, redis) = (Postgres::shared().await, Redis::shared().await);
    let proxy = Proxy::to(server.port()).await;
    proxy.refuse().await;
    let url = proxy.instead_of(&server.database("template1").await).replace("postgres@", "postgres:hunter2@");
    let mut process = Launch::serve("all", &url, &redis.url(), &crate::harness::redis::prefix()).spawn();
    assert_waits_for(&mut process, "postgres", &format!("127.0.0.1:{}", proxy.port())).await;
    proxy.pass().await;
    assert_works(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_redis_and_goes_on_when_it_appears() {
    let (server, redis) = (Postgres::shared().await, Redis::forgetful().await);
    let mut connection = redis.connect().await;
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "hunter2"]).query_async::<()>(&mut connection).await.unwrap();
    let proxy = Proxy::to(redis.port()).await;
    proxy.refuse().await;
    let url = proxy.instead_of(&redis.url()).replace("redis://", "redis://:hunter2@");
    let mut process = Launch::serve("all", &server.database("template1").await, &url, "").spawn();
    assert_waits_for(&mut process, "redis", &format!("127.0.0.1:{}", proxy.port())).await;
    proxy.pass().await;
    assert_works(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_says_all_that_is_missing() {
    for role in ["all", "api", "worker"] {
        let (postgres, redis) = (places::free_port(), places::free_port());
        let urls = (format!("postgres://user:hunter2@127.0.0.1:{postgres}/d"), format!("redis://user:hunter2@127.0.0.1:{redis}/"));
        let mut process = Launch::serve(role, &urls.0, &urls.1, "").spawn();
        let parts = not_ready(&process).await;
        assert_names(&parts, "postgres", &format!("127.0.0.1:{postgres}"));
        assert_names(&parts, "redis", &format!("127.0.0.1:{redis}"));
        process.api().get("/health").await.expect(200);
        process.terminate();
        assert_eq!(process.exited().await.code(), Some(0), "{role}: it can be told to stop while it waits");
        assert!(!process.stderr().contains("hunter2"), "{}", process.stderr());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_later_shows_in_ready_and_not_in_health() {
    let (server, redis) = (Postgres::shared().await, Redis::shared().await);
    for part in ["postgres", "redis"] {
        let target = if part == "postgres" { server.port() } else { redis.port() };
        let proxy = Proxy::to(target).await;
        let urls = [server.database("template1").await, redis.url()].map(|url| proxy.instead_of(&url));
        for role in ["all", "worker"] {
            let process = Launch::serve(role, &urls[0], &urls[1], &crate::harness::redis::prefix()).start().await;
            proxy.refuse().await;
            eventually(LONG, async || (process.api().ready().await == Some(503)).then_some(())).await;
            assert_names(&not_ready(&process).await, part, &format!("127.0.0.1:{}", proxy.port()));
            process.api().get("/health").await.expect(200);
            proxy.pass().await;
            eventually(LONG, async || (process.api().ready().await == Some(200)).then_some(())).await;
        }
    }
}

#[tokio::test]
async fn migrate_fails_where_postgres_is_away_and_says_where() {
    let address = format!("127.0.0.1:{}", places::free_port());
    let finished = Launch::new(["migrate"]).set("POSTGRES_URL", &format!("postgres://user:hunter2@{address}/d")).finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(&address) && !finished.stderr.contains("hunter2"), "{}", finished.stderr);
}
