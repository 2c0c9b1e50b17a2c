//! A bad configuration names every problem at once, and exits with 64.

use super::file;
use crate::harness::Launch;

/// What the program says, when it exits with 64.
async fn refused(launch: Launch) -> String {
    let finished = launch.finish().await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    finished.stderr
}

#[tokio::test]
async fn every_problem_is_named_at_once() {
    let path = file("[retry]\njitter = \"much\"\n[shutdown]\ngrace = -1\n[htp]\nlisten = \"x\"\n");
    let launch = Launch::new(["serve"])
        .arg("--config")
        .arg(path.to_str().unwrap())
        .set("POSTGRES_URL", "mysql://user:hunter2@h/d")
        .set("WEBHOOK_WORKERS", "many")
        .set("MAX_RETRIES", "0")
        .set("RETRY_DELAY", "soon")
        .set("POSTHASTE__HTTP__LISTEN", "nowhere")
        .set("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8,10.0.0.0/99")
        .set("POSTHASTE__GUARD__DENY", "everything")
        .set("POSTHASTE__LIMITS__MAX_EVENT_BYTES", "-5")
        .set("POSTHASTE__LIMITS__ENDPOINT_IN_FLIGHT", "1.5")
        .set("POSTHASTE__RETRY__MAX_DELAY", "")
        .set("POSTHASTE__RETENTION__DAYS", "0")
        .set("POSTHASTE__RETRY__DEALY", "1");
    let said = refused(launch).await;
    let keys = [
        "redis.url",
        "postgres.url",
        "worker.in_flight",
        "retry.max_retries",
        "retry.delay",
        "retry.dealy",
        "retry.jitter",
        "retry.max_delay",
        "http.listen",
        "htp.listen",
        "guard.allow",
        "guard.deny",
        "limits.max_event_bytes",
        "limits.endpoint_in_flight",
        "shutdown.grace",
        "retention.days",
    ];
    for key in keys {
        assert!(said.contains(&format!("  {key}: ")), "{key} in\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn serve_needs_both_servers_and_says_how_to_name_them() {
    for role in ["all", "api", "worker"] {
        let said = refused(Launch::new(["serve", "--role", role])).await;
        assert!(said.contains("REDIS_URL") && said.contains("POSTGRES_URL"), "{role}: {said}");
    }
    assert!(refused(Launch::new(["migrate"])).await.contains("POSTGRES_URL"));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_a_bad_configuration() {
    let said = refused(Launch::new(["dev", "--config", "/nowhere/posthaste.toml"])).await;
    assert!(said.contains("/nowhere/posthaste.toml"), "{said}");
    let path = file("[retry\ndelay = 1\n");
    let said = refused(Launch::new(["dev", "--config", path.to_str().unwrap()])).await;
    assert!(said.contains(path.to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_a_problem_in_every_layer_and_mode() {
    let path = file("[worker]\nthreads = 4\n");
    let said = refused(Launch::new(["dev", "--config", path.to_str().unwrap()])).await;
    assert!(said.contains("worker.threads"), "{said}");
    let said = refused(Launch::new(["dev"]).set("POSTHASTE__LIMITS__EVENT_BYTES", "4")).await;
    assert!(said.contains("limits.event_bytes"), "{said}");
}

#[tokio::test]
async fn a_level_of_logging_that_does_not_exist_is_a_problem() {
    let said = refused(Launch::new(["dev"]).set("POSTHASTE__LOG__LEVEL", "posthaste=loud")).await;
    assert!(said.contains("log.level"), "{said}");
    assert!(refused(Launch::new(["dev"]).set("POSTHASTE__LOG__FORMAT", "xml")).await.contains("log.format"));
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let wrong: [&[&str]; 6] =
        [&[], &["serve", "--role", "nobody"], &["deliver"], &["dev", "--fast"], &["endpoints"], &["endpoints", "get", "seven"]];
    for args in wrong {
        let finished = Launch::new(args.iter().copied()).finish().await;
        assert_eq!(finished.code, Some(2), "{args:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty() && !finished.stderr.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn shards_have_hash_tags_of_their_own() {
    let launch = || {
        let serve = Launch::new(["serve"]).set("REDIS_URL", "redis://127.0.0.1:1/").set("POSTGRES_URL", "postgres://a@127.0.0.1:1/b");
        serve.set("POSTHASTE__REDIS__PREFIX", "{a}")
    };
    assert!(refused(launch().set("POSTHASTE__REDIS__SHARDS", "2")).await.contains("\n  redis.prefix: "));
    assert!(refused(launch().set("POSTHASTE__REDIS__SHARDS", "0")).await.contains("\n  redis.shards: "));
}
