//! The harness keeps its own promises.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::api::Answered;
use crate::harness::{Api, Gate, LONG, Postgres, Proxy, Receiver, Redis, Reply, eventually, postgres};

async fn post(receiver: &Receiver, path: &str) -> Answered {
    Api::new(&receiver.url("")).post(path, &json!({"a": 1.0})).await
}

#[tokio::test]
async fn tests_share_a_postgres_and_have_a_database_each() {
    let shared = Postgres::shared().await;
    let (one, other) = (shared.database("template1").await, shared.database("template1").await);
    postgres::connect(&one).await.unwrap().batch_execute("CREATE TABLE t (a int)").await.unwrap();
    assert!(postgres::connect(&other).await.unwrap().batch_execute("SELECT a FROM t").await.is_err());
}

#[tokio::test]
async fn a_private_postgres_comes_back_with_its_data_after_a_stop_and_after_a_kill() {
    let server = Postgres::private().await;
    let url = server.database("template1").await;
    postgres::connect(&url).await.unwrap().batch_execute("CREATE TABLE t AS SELECT 7 AS a").await.unwrap();
    server.stop().await;
    assert!(postgres::connect(&url).await.is_err());
    server.start().await;
    server.kill().await;
    server.start().await;
    let row = postgres::connect(&url).await.unwrap().query_one("SELECT a FROM t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
}

#[tokio::test]
async fn a_private_redis_comes_back_with_its_data_and_a_forgetful_one_empty() {
    for (server, left) in [(Redis::private().await, Some(7)), (Redis::forgetful().await, None)] {
        redis::cmd("SET").arg("a").arg(7).query_async::<()>(&mut server.connect().await).await.unwrap();
        server.kill().await;
        server.start().await;
        let found: Option<i32> = redis::cmd("GET").arg("a").query_async(&mut server.connect().await).await.unwrap();
        assert_eq!(found, left);
        server.flush().await;
    }
    assert!(Redis::shared().await.port() > 0);
}

#[tokio::test]
async fn a_paused_server_hangs_and_a_resumed_one_answers() {
    let server = Redis::private().await;
    let mut connection = server.connect().await;
    server.pause();
    let mut get = async |key: &str| {
        let mut command = redis::cmd("GET");
        let asked = command.arg(key).query_async::<Option<i32>>(&mut connection);
        tokio::time::timeout(Duration::from_millis(100), asked).await.is_ok()
    };
    assert!(!get("a").await);
    server.resume();
    eventually(LONG, async || get("a").await.then_some(())).await;
}

#[tokio::test]
async fn a_receiver_follows_its_script_and_the_last_reply_stays() {
    let receiver = Receiver::start().await;
    receiver.script("/a", [Reply::with_header(429, "Retry-After", "3"), Reply::full(500, &[], b"no"), Reply::status(204)]);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post(&receiver, "/a").await.status);
    }
    assert_eq!(statuses, [429, 500, 204, 204]);
    assert_eq!(post(&receiver, "/other").await.status, 204);
    let requests = receiver.wait_for(5).await;
    assert_eq!((requests[0].text(), requests[0].json()), (r#"{"a":1.0}"#, json!({"a": 1.0})));
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(requests[0].method, "POST");
    assert_eq!(receiver.requests_to("/other").len(), 1);
    assert_eq!(receiver.counts()[&(String::new(), "/a".to_owned())], 4);
    assert!(requests[0].at <= requests[1].at && requests[0].wall <= requests[1].wall);
}

#[tokio::test]
async fn a_receiver_can_hang_drop_the_connection_and_answer_late() {
    let receiver = Receiver::start().await;
    receiver.script("/drop", [Reply::drop_connection()]);
    receiver.script("/hang", [Reply::hang()]);
    receiver.script("/body", [Reply::hang_in_body(200)]);
    receiver.script("/late", [Reply::status(200).after(Duration::from_millis(50))]);
    let client = Api::new("").client;
    assert!(client.post(receiver.url("/drop")).send().await.is_err());
    let short = Duration::from_millis(100);
    assert!(client.post(receiver.url("/hang")).timeout(short).send().await.unwrap_err().is_timeout());
    let answer = client.post(receiver.url("/body")).timeout(short).send().await.unwrap();
    assert!(answer.status() == 200 && answer.text().await.is_err());
    let started = Instant::now();
    assert_eq!(post(&receiver, "/late").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_receiver_holds_requests_behind_a_gate_and_knows_how_many_were_open() {
    let (receiver, gate) = (Receiver::start().await, Gate::closed());
    receiver.script("/a", [Reply::status(200).behind(&gate)]);
    let all = async { tokio::join!(post(&receiver, "/a"), post(&receiver, "/a"), post(&receiver, "/a")) };
    let opened = async {
        receiver.wait_until(LONG, |requests| requests.len() == 3).await;
        gate.open();
    };
    tokio::join!(all, opened);
    assert_eq!((receiver.peak("/a"), receiver.count()), (3, 3));
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_takes_a_hundred_thousand_requests() {
    let receiver = Receiver::start().await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let port = receiver.port();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let mut answer = [0; 27];
            for _ in 0..2_000 {
                stream.write_all(b"POST /a HTTP/1.1\r\nwebhook-id: e\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                stream.read_exact(&mut answer).await.unwrap();
            }
            answer
        });
    }
    // Beside everything else that runs on two cores, this takes longer than one thing may.
    receiver.wait_until(LONG * 10, |requests| requests.len() == 100_000).await;
    assert_eq!(&clients.join_next().await.unwrap().unwrap(), b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(receiver.counts()[&("e".to_owned(), "/a".to_owned())], 100_000);
}

#[tokio::test]
async fn a_proxy_cuts_refuses_swallows_and_recovers() {
    let server = Redis::shared().await;
    let proxy = Proxy::to(server.port()).await;
    let url = proxy.instead_of(&server.url());
    let ping = async || {
        let client = redis::Client::open(url.as_str()).unwrap();
        let asked = async { redis::cmd("PING").query_async::<String>(&mut client.get_multiplexed_async_connection().await?).await };
        tokio::time::timeout(Duration::from_millis(300), asked).await
    };
    assert!(ping().await.unwrap().is_ok());
    let mut open = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    open.write_all(b"PING\r\n").await.unwrap();
    let mut pong = [0; 7];
    open.read_exact(&mut pong).await.unwrap();
    proxy.cut();
    assert_eq!(open.read(&mut pong).await.unwrap_or(0), 0);
    proxy.refuse().await;
    assert!(ping().await.unwrap().is_err());
    proxy.pass().await;
    for swallow in [Proxy::swallow, Proxy::swallow_answers] {
        assert!(ping().await.unwrap().is_ok());
        swallow(&proxy);
        assert!(!matches!(ping().await, Ok(Ok(_))));
        proxy.pass().await;
    }
}

#[tokio::test]
async fn a_proxy_breaks_off_in_the_middle_of_an_answer() {
    let proxy = Proxy::to(Redis::shared().await.port()).await;
    let mut open = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    let mut answer = [0; 7];
    open.write_all(b"PING\r\n").await.unwrap();
    open.read_exact(&mut answer).await.unwrap();
    proxy.break_off();
    open.write_all(b"PING\r\n").await.unwrap();
    let mut half = [0; 3];
    open.read_exact(&mut half).await.unwrap();
    assert_eq!(&half, b"+PO");
    open.write_all(b"PING\r\n").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), open.read(&mut answer)).await.is_err(), "and then nothing");
    proxy.cut();
    assert_eq!(open.read(&mut answer).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_receiver_answers_by_rule_where_the_request_decides() {
    let receiver = Receiver::start().await;
    receiver.rule("/a", |request| Reply::status(if request.text().contains("1.0") { 500 } else { 204 }));
    assert_eq!((post(&receiver, "/a").await.status, post(&receiver, "/b").await.status), (500, 204));
    receiver.came(2).await;
}
