//! Defaults, then a file, then the environment.

use super::{effective, file};
use crate::harness::Launch;

fn config() -> Launch {
    Launch::new(["config"])
}

#[tokio::test]
async fn every_fixed_key_has_its_default() {
    let defaults = [
        ("http.listen", "127.0.0.1:8000"),
        ("guard.deny", "[]"),
        ("limits.max_event_bytes", "262144"),
        ("redis.prefix", ""),
        ("retry.jitter", "0.1"),
        ("retry.max_delay", "21600"),
        ("retry.max_retries", "3"),
        ("retry.delay", "60"),
        ("worker.in_flight", "512"),
    ];
    for (key, value) in defaults {
        assert_eq!(effective(config(), key).await, value, "{key}");
    }
    for key in ["guard.allow", "limits.endpoint_in_flight", "shutdown.grace", "retention.days"] {
        effective(config(), key).await;
    }
}

#[tokio::test]
async fn the_plain_names_that_other_software_sets_count() {
    for (name, key, value) in
        [("WEBHOOK_WORKERS", "worker.in_flight", "7"), ("MAX_RETRIES", "retry.max_retries", "5"), ("RETRY_DELAY", "retry.delay", "9")]
    {
        assert_eq!(effective(config().set(name, value), key).await, value, "{name}");
    }
    for (name, key, value) in [("REDIS_URL", "redis.url", "redis://h:1/"), ("POSTGRES_URL", "postgres.url", "postgres://h:1/d")] {
        assert_eq!(effective(config(), key).await, "", "{key}");
        assert_ne!(effective(config().set(name, value), key).await, "", "{name}");
    }
}

#[tokio::test]
async fn a_file_overrides_defaults_and_the_environment_overrides_a_file() {
    let path = file("[retry]\ndelay = 7\njitter = 0.2\n[redis]\nprefix = \"from-file:\"\n");
    let with = || config().arg("--config").arg(path.to_str().unwrap()).set("POSTHASTE__RETRY__JITTER", "0.3").set("MAX_RETRIES", "4");
    for (key, value) in [
        ("retry.delay", "7"),
        ("redis.prefix", "from-file:"),
        ("retry.jitter", "0.3"),
        ("retry.max_retries", "4"),
        ("retry.max_delay", "21600"),
    ] {
        assert_eq!(effective(with(), key).await, value, "{key}");
    }
    assert_eq!(effective(with().set("RETRY_DELAY", "11"), "retry.delay").await, "11");
}

#[tokio::test]
async fn the_embedded_mode_may_reach_this_machine_and_the_production_mode_may_not() {
    // What the harness sets for all other tests is taken back.
    let embedded = file("");
    let none = |launch: Launch| launch.after("unset POSTHASTE__GUARD__ALLOW").arg("--config").arg(embedded.to_str().unwrap());
    let allowed = effective(none(Launch::new(["config", "--dev"])), "guard.allow").await;
    assert!(allowed.contains("127.0.0.0/8"), "{allowed}");
    assert_eq!(effective(none(config()), "guard.allow").await, "[]");
}

#[tokio::test]
async fn config_shows_no_secret_whatever_layer_it_comes_from() {
    let path = file("[http]\ntokens = [\"file-token-hunter2-0123\", { token = \"bound-hunter2-01234\", tenant = \"a\" }]\n");
    let by_file = config().arg("--config").arg(path.to_str().unwrap());
    let by_environment = config().set("POSTHASTE__HTTP__TOKENS", "one-hunter2-0123456,two-hunter2-0123456");
    for launch in [by_file, by_environment] {
        let finished = launch.set("REDIS_URL", "redis://:hunter2@h/").set("POSTGRES_URL", "postgres://u:hunter2@h/d").finish().await;
        assert_eq!(finished.code, Some(0));
        assert!(!finished.stdout.contains("hunter2") && !finished.stderr.contains("hunter2"), "{}", finished.stdout);
        assert!(finished.stdout.contains("http.tokens") && finished.stdout.contains("redis.url"), "{}", finished.stdout);
    }
}
