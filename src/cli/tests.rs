//! Every command against a server that answers what it is told, and keeps what it was asked.

mod checks;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use clap::Parser as _;

use super::{ClientCommand, Exit, Streams, run};

#[derive(clap::Parser)]
struct Program {
    #[command(subcommand)]
    command: ClientCommand,
}

struct Ran {
    exit: Exit,
    out: String,
    err: String,
    /// Request lines with their bodies; headers of interest in front of the body.
    asked: Vec<String>,
}

/// Answers one connection after the other with these statuses and bodies.
fn serve(answers: Vec<(u16, String)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let (mut seen, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                if seen.is_empty() || lower.starts_with("authorization:") || lower.starts_with("idempotency-key:") {
                    seen.push_str(line.trim_end());
                    seen.push('\n');
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut received = vec![0; length];
            reader.read_exact(&mut received).expect("a body");
            asked.push(seen + &String::from_utf8(received).expect("UTF-8"));
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            (&stream).write_all((head + &body).as_bytes()).expect("written");
        }
        asked
    });
    (server, thread)
}

async fn run_against(server: &str, arguments: &[&str]) -> (Exit, String, String) {
    let arguments = ["posthaste"].into_iter().chain(arguments.iter().copied()).chain(["--server", server]);
    let program = Program::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(program.command, &mut Streams { out: &mut out, err: &mut err, colour: false }).await;
    (exit, String::from_utf8(out).expect("UTF-8"), String::from_utf8(err).expect("UTF-8"))
}

async fn ran(arguments: &[&str], answers: &[(u16, &str)]) -> Ran {
    let (server, thread) = serve(answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect());
    let (exit, out, err) = run_against(&server, arguments).await;
    Ran { exit, out, err, asked: thread.join().expect("the server ended") }
}

#[tokio::test]
async fn one_event_is_sent_with_the_bytes_of_its_data() {
    let data = r#"{"b": 1.0, "a": 12345678901234567890, "e": "\u00e9"}"#;
    let arguments = ["events", "send", "--type", "order.created", "--data", data, "--id", "e1", "--token", "secret"];
    let ran = ran(&arguments, &[(202, r#"{"ids":["e1"],"id":"e1"}"#)]).await;
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Done, "e1\n"));
    let wanted = format!(r#"{{"id":"e1","event_type":"order.created","data":{data}}}"#);
    assert_eq!(ran.asked, [format!("POST /api/webhooks/events HTTP/1.1\nauthorization: Bearer secret\n{wanted}")]);
}

#[tokio::test]
async fn a_file_of_events_is_sent_in_arrays_and_wrong_ones_are_named_by_line() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "{\"id\":\"1\", \"data\":1.0}\n\n{\"id\":\"2\"}\n").expect("written");
    let arguments = ["events", "send", "--file", file.path().to_str().expect("UTF-8")];
    let sent = ran(&arguments, &[(202, r#"{"ids":["1","2"]}"#)]).await;
    assert_eq!((sent.exit, sent.out.as_str()), (Exit::Done, "2 events accepted\n"));
    assert!(sent.asked[0].ends_with("\n[{\"id\":\"1\", \"data\":1.0},{\"id\":\"2\"}]"), "{}", sent.asked[0]);
    let problem = r#"{"detail":"not valid","errors":[{"field":"events[1].data","message":"is required"}]}"#;
    let refused = ran(&arguments, &[(400, problem)]).await;
    assert_eq!(refused.exit, Exit::Failed);
    assert_eq!(refused.err, "error: not valid (400)\n  line 3, data: is required\n");
}

#[tokio::test]
async fn a_key_goes_with_one_event_and_with_its_number_with_each_request_of_a_file() {
    let one = ["events", "send", "--type", "a", "--data", "1", "--idempotency-key", "k"];
    let asked = ran(&one, &[(202, r#"{"ids":["made"]}"#)]).await.asked;
    assert_eq!(asked, ["POST /api/webhooks/events HTTP/1.1\nidempotency-key: k\n{\"event_type\":\"a\",\"data\":1}"]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "1\n".repeat(1001)).expect("written");
    let arguments = ["events", "send", "--file", file.path().to_str().expect("UTF-8"), "--idempotency-key", "k"];
    let sent = ran(&arguments, &[(202, r#"{"ids":[]}"#), (202, r#"{"ids":[]}"#)]).await;
    let keys: Vec<_> = sent.asked.iter().filter_map(|asked| asked.lines().nth(1)).collect();
    assert_eq!(keys, ["idempotency-key: k/1", "idempotency-key: k/2"]);
}

#[tokio::test]
async fn wrong_usage_sends_nothing() {
    for arguments in [
        &["events", "send", "--type", "a", "--data", "{"][..],
        &["events", "send", "--type", "a", "--data", "@/nowhere"],
        &["endpoints", "update", "1", "--rate-limit", "many"],
    ] {
        let ran = ran(arguments, &[]).await;
        assert_eq!(ran.exit, Exit::WrongUsage, "{arguments:?}");
        assert!(ran.err.starts_with("error: --"), "{}", ran.err);
    }
    for arguments in
        [&["posthaste", "events", "send"][..], &["posthaste", "events", "send", "--file", "x", "--id", "1"], &["posthaste", "nothing"]]
    {
        assert!(Program::try_parse_from(arguments).is_err(), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_list_is_a_table_or_the_apis_own_json() {
    let page = r#"{"items":[{"id":7,"tenant":"default","name":"shop","url":"https://example.com/","event_types":["order.*","a"],"is_active":true,"total_deliveries_24h":4,"successful_deliveries_24h":3,"success_rate_24h":75.0}],"next_cursor":"abc"}"#;
    let arguments = ["endpoints", "list", "--tenant", "a b", "--limit", "1"];
    let table = ran(&arguments, &[(200, page)]).await;
    assert_eq!(
        table.out,
        "ID  TENANT   NAME  STATE   DELIVERIES 24H  SUCCESS  EVENT TYPES  URL\n\
         7   default  shop  active  3 of 4          75.0 %   order.*, a   https://example.com/\n\
         \nthere is more: --cursor abc\n"
    );
    assert_eq!(table.asked, ["GET /api/webhooks/endpoints?tenant=a+b&limit=1 HTTP/1.1\n"]);
    let empty = ran(&["endpoints", "list"], &[(200, r#"{"items":[],"next_cursor":"abc"}"#)]).await;
    assert_eq!(empty.out, "none\n\nthere is more: --cursor abc\n");
    let json = ran(&["endpoints", "list", "--json"], &[(200, page)]).await;
    assert_eq!(json.out.trim_end(), page);
}

#[tokio::test]
async fn a_process_is_asked_whether_it_is_ready_and_what_is_not() {
    let ready = ran(&["ready"], &[(200, r#"{"status":"ready","parts":["postgres","redis"]}"#)]).await;
    assert_eq!((ready.exit, ready.out.as_str()), (Exit::Done, "status  ready\nparts   postgres, redis\n"));
    assert_eq!(ready.asked, ["GET /ready HTTP/1.1\n"]);
    let problem = r#"{"detail":"not ready","errors":[{"field":"redis","message":"does not answer within 2 s"}]}"#;
    let not = ran(&["ready"], &[(503, problem)]).await;
    assert_eq!((not.exit, not.err.as_str()), (Exit::Failed, "error: not ready (503)\n  redis: does not answer within 2 s\n"));
}

#[tokio::test]
async fn an_endpoint_is_registered_with_all_that_was_chosen() {
    let arguments = [
        "endpoints",
        "create",
        "--name",
        "shop",
        "--url",
        "https://example.com/",
        "--event-types",
        "order.*,a",
        "--header",
        "X-Own: a:b",
        "--retry-schedule",
        "1,2.5",
        "--rate-limit",
        "100/60",
        "--in-flight",
        "4",
        "--active",
        "false",
    ];
    let ran = ran(&arguments, &[(201, r#"{"id":7,"name":"shop","secret":"whsec_x"}"#)]).await;
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Done, "id      7\nname    shop\nsecret  whsec_x\n"));
    let body: serde_json::Value = serde_json::from_str(ran.asked[0].lines().last().expect("a body")).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({
            "name": "shop", "url": "https://example.com/", "event_types": ["order.*", "a"], "headers": {"X-Own": "a:b"},
            "retry_schedule": [1.0, 2.5], "rate_limit": {"max_requests": 100, "window": 60.0}, "in_flight": 4, "is_active": false,
        })
    );
}

#[tokio::test]
async fn endpoints_are_shown_changed_and_removed() {
    let shown = ran(&["endpoints", "get", "7"], &[(200, r#"{"id":7}"#)]).await;
    assert_eq!(shown.asked, ["GET /api/webhooks/endpoints/7 HTTP/1.1\n"]);
    let changed = ran(&["endpoints", "update", "7", "--in-flight", "none"], &[(200, r#"{"id":7}"#)]).await;
    assert_eq!(changed.asked, ["PATCH /api/webhooks/endpoints/7 HTTP/1.1\n{\"in_flight\":null}"]);
    let removed = ran(&["endpoints", "delete", "7"], &[(204, "")]).await;
    assert_eq!((removed.exit, removed.out.as_str()), (Exit::Done, "endpoint 7 is removed\n"));
    let problem = r#"{"detail":"there is no such endpoint"}"#;
    let missing = ran(&["endpoints", "get", "8"], &[(404, problem)]).await;
    assert_eq!((missing.exit, missing.err.as_str()), (Exit::Failed, "error: there is no such endpoint (404)\n"));
}

#[tokio::test]
async fn deliveries_are_filtered_and_shown_with_their_attempts() {
    let arguments =
        ["deliveries", "list", "--endpoint", "7", "--type", "a/b", "--status", "failed", "--since", "2026-01-02T03:04:05+01:00"];
    let list = ran(&arguments, &[(200, r#"{"items":[],"next_cursor":null}"#)]).await;
    assert_eq!(list.out, "none\n");
    let query = "endpoint_id=7&event_type=a%2Fb&status=failed&since=2026-01-02T03%3A04%3A05%2B01%3A00";
    assert_eq!(list.asked, [format!("GET /api/webhooks/deliveries?{query} HTTP/1.1\n")]);
    let attempt = r#"{"number":1,"at":"2026-01-02T03:04:05.000000Z","response_status":503,"response_body":"","response_time":0.25,"error_message":"no"}"#;
    let answer = &format!(r#"{{"id":"d1","status":"failed","attempts":[{attempt}]}}"#);
    let one = ran(&["deliveries", "get", "d1"], &[(200, answer)]).await;
    let table = "ATTEMPT  AT                    ANSWER  TIME     ERROR  BODY\n1        2026-01-02T03:04:05Z  503     0.250 s  no     -\n";
    assert_eq!(one.out, format!("id      d1\nstatus  failed\n\n{table}"));
}

#[tokio::test]
async fn failed_deliveries_are_put_back_one_by_one_and_all_of_an_endpoint() {
    let one = ran(&["deliveries", "retry", "d1"], &[(202, r#"{"id":"d1","status":"retrying"}"#)]).await;
    assert_eq!((one.exit, one.out.as_str()), (Exit::Done, "id      d1\nstatus  retrying\n"));
    assert_eq!(one.asked, ["POST /api/webhooks/deliveries/d1/retry HTTP/1.1\n"]);
    let all = ran(&["endpoints", "retry-failed", "7", "--since", "2026-01-02T03:04:05Z"], &[(200, r#"{"retried":2}"#)]).await;
    assert_eq!((all.exit, all.out.as_str()), (Exit::Done, "2 deliveries are put back\n"));
    assert_eq!(all.asked, ["POST /api/webhooks/endpoints/7/retry-failed HTTP/1.1\n{\"since\":\"2026-01-02T03:04:05Z\"}"]);
    let json = ran(&["endpoints", "retry-failed", "7", "--json"], &[(200, r#"{"retried":1}"#)]).await;
    assert_eq!((json.out.trim_end(), json.asked[0].lines().last()), (r#"{"retried":1}"#, Some("{}")));
    let problem = r#"{"detail":"the delivery is delivered: only a failed one can be put back"}"#;
    let refused = ran(&["deliveries", "retry", "d1"], &[(409, problem)]).await;
    assert_eq!(refused.exit, Exit::Failed);
    assert!(refused.err.contains("is delivered") && refused.err.contains("409"), "{}", refused.err);
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let run = |status: &str, done: u64| {
        format!(r#"{{"id":"r1","kind":"retry_failed","status":"{status}","done":{done},"refused":1,"total":300,"error":null}}"#)
    };
    let started = format!(r#"{{"run":{}}}"#, run("running", 0));
    let (half, done) = (run("running", 150), run("done", 299));
    let retry = ["endpoints", "retry-failed", "7"];
    let followed = ran(&retry, &[(202, &started), (200, &half), (200, &done)]).await;
    let wanted = "1 of 300 deliveries\n299 deliveries are put back\n1 stay failed: their events are gone\n";
    assert_eq!((followed.exit, followed.out.as_str()), (Exit::Done, wanted));
    assert_eq!(followed.asked[2], "GET /api/webhooks/runs/r1 HTTP/1.1\n");
    let json = ran(&["endpoints", "retry-failed", "7", "--json"], &[(202, &started), (200, &done)]).await;
    assert_eq!(json.out.trim_end(), done);
    let named = ran(&["endpoints", "retry-failed", "7", "--no-wait"], &[(202, &started)]).await;
    assert!(named.exit == Exit::Done && named.out.contains("posthaste runs get r1"), "{}", named.out);
    let (cancelled, failed) = (run("cancelled", 10), run("failed", 10).replace("null", "\"the endpoint was removed\""));
    let ended = ran(&retry, &[(202, &started), (200, &cancelled)]).await;
    assert!(ended.exit == Exit::Failed && ended.err.contains("cancelled"), "{}", ended.err);
    let ended = ran(&retry, &[(202, &started), (200, &failed)]).await;
    assert!(ended.exit == Exit::Failed && ended.err.contains("the endpoint was removed"), "{}", ended.err);
}

#[tokio::test]
async fn runs_are_listed_shown_and_cancelled() {
    let page = r#"{"items":[{"id":"r1","kind":"retry_failed","endpoint_id":7,"status":"done","done":3,"refused":0,"total":null,"error":null}],"next_cursor":null}"#;
    let list = ran(&["runs", "list"], &[(200, page)]).await;
    assert!(list.out.contains("r1  retry_failed  7         done    3"), "{}", list.out);
    let one = ran(&["runs", "get", "r1"], &[(200, r#"{"id":"r1","status":"running"}"#)]).await;
    assert_eq!((one.out.as_str(), &*one.asked[0]), ("id      r1\nstatus  running\n", "GET /api/webhooks/runs/r1 HTTP/1.1\n"));
    let end = ran(&["runs", "cancel", "r1"], &[(200, r#"{"id":"r1","status":"cancelled"}"#)]).await;
    assert_eq!((end.exit, &*end.asked[0]), (Exit::Done, "POST /api/webhooks/runs/r1/cancel HTTP/1.1\n"));
}

#[tokio::test]
async fn dead_letters_are_listed_enqueued_again_and_dropped() {
    let page = r#"{"items":[{"id":"a1","reason":"not JSON","at":"2026-01-02T03:04:05.000000Z","entry":"x\u001by","size":3}],"next_cursor":null,"total":12}"#;
    let list = ran(&["dead-letters", "list", "--limit", "1"], &[(200, page)]).await;
    assert!(list.out.contains("a1  ") && list.out.contains("not JSON") && list.out.contains("12 dead letters in all"), "{}", list.out);
    assert!(!list.out.contains('\u{1b}'));
    assert_eq!(list.asked, ["GET /api/webhooks/dead-letters?limit=1 HTTP/1.1\n"]);
    let answer = r#"{"requeued":1,"refused":[{"id":"b2","reason":"id: is required"}]}"#;
    let some = ran(&["dead-letters", "requeue", "a1", "b2"], &[(200, answer)]).await;
    assert_eq!(some.out, "1 dead letter enqueued again\nb2 stays: id: is required\n");
    assert_eq!(some.asked, ["POST /api/webhooks/dead-letters/requeue HTTP/1.1\n{\"ids\":[\"a1\",\"b2\"]}"]);
    let all = ran(&["dead-letters", "requeue", "--all", "--json"], &[(200, answer)]).await;
    assert_eq!((all.out.trim_end(), all.asked[0].lines().last()), (answer, Some("{}")));
    let dropped = ran(&["dead-letters", "drop", "a1", "b2"], &[(200, r#"{"dropped":2}"#)]).await;
    assert_eq!(
        (dropped.out.as_str(), &*dropped.asked[0]),
        ("2 dead letters dropped\n", "DELETE /api/webhooks/dead-letters?id=a1&id=b2 HTTP/1.1\n")
    );
    for wrong in [&["dead-letters", "drop"][..], &["dead-letters", "requeue"], &["dead-letters", "drop", "--all", "a1"]] {
        let arguments = ["posthaste"].into_iter().chain(wrong.iter().copied());
        assert!(Program::try_parse_from(arguments).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn stats_are_shown() {
    let ran = ran(&["stats", "--hours", "2"], &[(200, r#"{"total_deliveries":3,"success_rate":100.0}"#)]).await;
    assert_eq!(ran.out, "total_deliveries  3\nsuccess_rate      100\n");
    assert_eq!(ran.asked, ["GET /api/webhooks/stats?hours=2 HTTP/1.1\n"]);
}

#[tokio::test]
async fn a_refused_connection_says_how_to_start_posthaste() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let (exit, _, err) = run_against(&format!("http://{free}"), &["stats"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("is posthaste running? start it with `posthaste dev`"), "{err}");
    assert!(err.contains("refused"), "{err}");
    let (exit, ..) = run_against("nonsense", &["stats"]).await;
    assert_eq!(exit, Exit::WrongUsage);
}
