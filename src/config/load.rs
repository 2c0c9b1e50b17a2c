//! The layers, and how they become [`Settings`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, ConfigError, Environment, File, FileFormat, Value, ValueKind};
use url::Url;

use super::reader::Reader;
use super::{
    BreakerSettings, HttpSettings, LogFormat, LogSettings, Mode, PostgresSettings, RedisSettings, RetentionSettings, RetrySettings,
    Settings, SqliteSettings, WorkerSettings,
};
use super::{metrics, receivers, security, tokens, tracing};
use crate::model::endpoint::EndpointDefaults;
use crate::model::problem::Problem;
use crate::model::secret::Secret;

const DEFAULTS: &str = include_str!("../../posthaste.default.toml");

/// The names that other software sets already.
const PLAIN_NAMES: [(&str, &str); 5] = [
    ("REDIS_URL", "redis.url"),
    ("POSTGRES_URL", "postgres.url"),
    ("WEBHOOK_WORKERS", "worker.in_flight"),
    ("MAX_RETRIES", "retry.max_retries"),
    ("RETRY_DELAY", "retry.delay"),
];

const SECRETS: [&str; 5] = ["redis.url", "postgres.url", "http.tokens", "security.master_key", "tracing.otlp_headers"];

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
pub struct BadSettings(pub Vec<Problem>);

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    pub file: Option<PathBuf>,
    pub environment: HashMap<String, String>,
}

impl Layers {
    /// A file and this process' environment.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self {
            file,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        }
    }

    fn merge(&self, mode: Mode) -> Result<Config, ConfigError> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if mode == Mode::Embedded {
            builder = builder.set_default("guard.allow", Vec::<String>::new())?;
            builder = builder.add_source(File::from_str("guard.allow = ['127.0.0.0/8', '::1/128']", FileFormat::Toml));
        }
        if let Some(file) = &self.file {
            builder = builder.add_source(File::from(file.as_path()).format(FileFormat::Toml));
        }
        let prefixed = Environment::with_prefix("POSTHASTE").prefix_separator("__").separator("__").source(Some(self.environment.clone()));
        builder = builder.add_source(prefixed);
        for (name, key) in PLAIN_NAMES {
            builder = builder.set_override_option(key, self.environment.get(name).cloned())?;
        }
        builder.build()
    }
}

/// Merges the layers and checks everything.
///
/// # Errors
/// Every problem there is, each with its key and what would be right.
pub fn load(mode: Mode, layers: &Layers) -> Result<Settings, BadSettings> {
    let config = layers.merge(mode).map_err(|error| BadSettings(vec![unreadable(layers.file.as_deref(), &error)]))?;
    let unknown = unknown_keys(&config);
    let mut reader = Reader::new(config);
    for key in unknown {
        reader.problem(&key, "is not a setting: see posthaste.default.toml for all there are");
    }
    let settings = read(&mut reader, mode);
    let problems = reader.into_problems();
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(BadSettings(problems)),
    }
}

/// What is in force, as TOML, with secrets hidden.
///
/// # Errors
/// When the file cannot be read.
pub fn effective(mode: Mode, layers: &Layers) -> Result<String, BadSettings> {
    let config = layers.merge(mode).map_err(|error| BadSettings(vec![unreadable(layers.file.as_deref(), &error)]))?;
    let mut lines: Vec<_> = leaves(&config.cache, "")
        .into_iter()
        .map(|(key, value)| {
            let empty = matches!(&value.kind, ValueKind::String(text) if text.is_empty())
                || matches!(&value.kind, ValueKind::Array(items) if items.is_empty());
            let secret = SECRETS.iter().any(|secret| key.strip_prefix(secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
            let shown = if secret && !empty { "\"(hidden)\"".to_owned() } else { toml(&value) };
            format!("{key} = {shown}")
        })
        .collect();
    lines.sort();
    Ok(lines.join("\n"))
}

fn toml(value: &Value) -> String {
    match &value.kind {
        // JSON's strings are TOML's basic strings.
        ValueKind::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        ValueKind::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Without the line that a parser shows, for it may be one with a password.
fn unreadable(file: Option<&Path>, error: &ConfigError) -> Problem {
    let error = error.to_string();
    let shown = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let message: Vec<_> = error.lines().map(str::trim).filter(|line| !shown(line) && !line.is_empty()).collect();
    Problem::new(file.map_or_else(|| "environment".into(), |file| file.display().to_string()), message.join(": "))
}

fn leaves(value: &Value, path: &str) -> Vec<(String, Value)> {
    match &value.kind {
        ValueKind::Table(table) => table
            .iter()
            .flat_map(|(key, value)| leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }))
            .collect(),
        _ => vec![(path.to_owned(), value.clone())],
    }
}

fn unknown_keys(config: &Config) -> Vec<String> {
    let known: Vec<String> = Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .build()
        .map(|defaults| leaves(&defaults.cache, "").into_iter().map(|(key, _)| key).collect())
        .unwrap_or_default();
    let mut unknown: Vec<_> = leaves(&config.cache, "").into_iter().map(|(key, _)| key).filter(|key| !known.contains(key)).collect();
    unknown.sort();
    unknown
}

fn read(from: &mut Reader, mode: Mode) -> Option<Settings> {
    let http = read_http(from, mode);
    let endpoints = EndpointDefaults {
        timeout: from.seconds("endpoints.timeout", 0.001, 3600.0),
        max_retries: u32::try_from(from.count("retry.max_retries", 1, 1000)).unwrap_or(u32::MAX),
        retry_delay: from.seconds("retry.delay", 0.0, 31_536_000.0),
    };
    let retry =
        RetrySettings { jitter: from.fraction("retry.jitter", 0.0, 1.0), max_delay: from.seconds("retry.max_delay", 0.0, 31_536_000.0) };
    let worker = read_worker(from);
    Some(Settings {
        redis: read_redis(from, mode),
        postgres: read_postgres(from, mode),
        sqlite: SqliteSettings { path: PathBuf::from(from.text("sqlite.path")) },
        worker,
        breaker: read_breaker(from),
        retry,
        guard: receivers::guard(from),
        connections: receivers::connections(from, worker.endpoint_in_flight),
        endpoints,
        disable_after: from.seconds("endpoints.disable_after", 0.0, 31_536_000.0),
        max_event_bytes: from.count("limits.max_event_bytes", 64, 512 << 20),
        sweep_interval: from.seconds("sweep.interval", 0.05, 3600.0),
        shutdown_grace: from.seconds("shutdown.grace", 0.0, 3600.0),
        retention: read_retention(from),
        metrics: metrics::read(from),
        log: read_log(from),
        security: security::read(from),
        tracing: tracing::read(from),
        http: http?,
    })
}

fn read_http(from: &mut Reader, mode: Mode) -> Option<HttpSettings> {
    let listen = from.parsed("http.listen", |text| {
        text.parse::<SocketAddr>().map_err(|_error| "must be an address and a port, such as 127.0.0.1:8000".to_owned())
    });
    let tokens = tokens::read(from);
    let needs_token = matches!(mode, Mode::Serve(role) if role.has_api());
    if let Some(listen) = listen
        && needs_token
        && tokens.is_none()
        && !listen.ip().is_loopback()
    {
        from.problem(
            "http.tokens",
            format!("must hold at least one token, since http.listen ({listen}) can be reached from other machines"),
        );
    }
    let max_body_bytes = from.count("http.max_body_bytes", 1024, 1 << 30);
    Some(HttpSettings { listen: listen?, tokens: tokens.unwrap_or_default(), max_body_bytes })
}

fn read_redis(from: &mut Reader, mode: Mode) -> RedisSettings {
    let url = from.text("redis.url");
    if matches!(mode, Mode::Serve(_)) {
        check_server(from, "redis.url", "REDIS_URL", &url, &["redis", "rediss"], "redis://127.0.0.1:6379/0");
    }
    let (prefix, shards) = (from.text("redis.prefix"), from.count("redis.shards", 1, 64));
    if shards > 1 && prefix.contains(['{', '}']) {
        from.problem(
            "redis.prefix",
            "must have no braces where redis.shards is more than 1: each shard has a hash tag of its own, and the first one counts",
        );
    }
    RedisSettings { url: Secret::new(url), prefix, lease: from.seconds("redis.lease", 1.0, 3600.0), shards: shards.max(1) }
}

fn read_postgres(from: &mut Reader, mode: Mode) -> PostgresSettings {
    let url = from.text("postgres.url");
    if matches!(mode, Mode::Serve(_) | Mode::Migrate) {
        check_server(
            from,
            "postgres.url",
            "POSTGRES_URL",
            &url,
            &["postgres", "postgresql"],
            "postgres://user:password@127.0.0.1:5432/posthaste",
        );
    }
    PostgresSettings {
        url: Secret::new(url),
        connections: u32::try_from(from.count("postgres.connections", 2, 1000)).unwrap_or(u32::MAX),
        connect_timeout: from.seconds("postgres.connect_timeout", 0.1, 300.0),
        statement_timeout: from.seconds("postgres.statement_timeout", 1.0, 3600.0),
    }
}

fn check_server(from: &mut Reader, key: &str, name: &str, url: &str, schemes: &[&str], example: &str) {
    if url.is_empty() {
        from.problem(key, format!("is required: set {name}, for example {name}={example}"));
    } else if !Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme())) {
        // The value may carry a password, so it is not repeated.
        from.problem(key, format!("is not a URL such as {example}"));
    }
}

fn read_worker(from: &mut Reader) -> WorkerSettings {
    WorkerSettings {
        in_flight: from.count("worker.in_flight", 1, 65_536),
        endpoint_in_flight: from.count("limits.endpoint_in_flight", 1, 10_000),
        claim_batch: from.count("worker.claim_batch", 1, 1000),
        commit_batch: from.count("worker.commit_batch", 1, 10_000),
        hold: from.seconds("worker.hold", 0.0, 60.0),
        park_after: from.seconds("worker.park_after", 0.01, 60.0),
    }
}

fn read_breaker(from: &mut Reader) -> BreakerSettings {
    let mut failures = |key| u32::try_from(from.count(key, 1, 1_000_000)).unwrap_or(u32::MAX);
    let (silent, failures) = (failures("breaker.silent"), failures("breaker.failures"));
    let pause = from.seconds("breaker.pause", 0.05, 3600.0);
    BreakerSettings {
        silent,
        failures,
        after: from.seconds("breaker.after", 0.0, 86_400.0),
        pause,
        max_pause: from.seconds("breaker.max_pause", 0.05, 86_400.0).max(pause),
    }
}

/// Zero is not among them: it could mean to keep nothing as well as to keep everything.
fn read_retention(from: &mut Reader) -> RetentionSettings {
    let keep = Duration::from_secs_f64(from.fraction("retention.days", 0.000_01, 36_500.0) * 86_400.0);
    RetentionSettings {
        keep,
        keyed: from.seconds("retention.idempotency_keys", 0.05, 31_536_000.0),
        interval: from.seconds("retention.interval", 0.05, 86_400.0),
    }
}

fn read_log(from: &mut Reader) -> LogSettings {
    let format = from.parsed("log.format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be \"text\" or \"json\"".into()),
    });
    LogSettings { format: format.unwrap_or(LogFormat::Text), level: from.text("log.level") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    fn with(mode: Mode, environment: &[(&str, &str)]) -> Result<Settings, BadSettings> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        load(mode, &Layers { file: None, environment })
    }

    const SERVERS: [(&str, &str); 2] = [("REDIS_URL", "redis://127.0.0.1/"), ("POSTGRES_URL", "postgres://a@127.0.0.1/b")];

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = with(Mode::Serve(Role::All), &SERVERS).expect("valid");
        assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8000");
        assert_eq!((settings.worker.in_flight, settings.worker.endpoint_in_flight), (512, 32));
        assert_eq!(
            (settings.endpoints.max_retries, settings.endpoints.retry_delay.as_secs(), settings.endpoints.timeout.as_secs()),
            (3, 60, 30)
        );
        assert_eq!(settings.disable_after, Duration::from_secs(5 * 86_400));
        assert_eq!((settings.max_event_bytes, settings.shutdown_grace.as_secs()), (256 << 10, 25));
        assert_eq!((settings.retention.keep.as_secs(), settings.retention.interval.as_secs()), (30 * 86_400, 600));
        assert_eq!(settings.retention.keyed.as_secs(), 86_400);
        assert_eq!((settings.retry.jitter, settings.retry.max_delay.as_secs()), (0.1, 6 * 3600));
        assert!(settings.guard.allow.is_empty());
    }

    #[test]
    fn the_environment_overrides_and_its_lists_are_split_at_commas() {
        let mut environment = SERVERS.to_vec();
        environment.extend([
            ("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8,10.1.2.3"),
            ("WEBHOOK_WORKERS", "64"),
            ("MAX_RETRIES", "5"),
            ("RETRY_DELAY", "0.5"),
            ("POSTHASTE__REDIS__PREFIX", "{a}:"),
        ]);
        let settings = with(Mode::Serve(Role::Worker), &environment).expect("valid");
        assert_eq!(settings.guard.allow.len(), 2);
        assert_eq!((settings.worker.in_flight, settings.endpoints.max_retries, settings.endpoints.retry_delay.as_millis()), (64, 5, 500));
        assert_eq!(settings.redis.prefix, "{a}:");
    }

    #[test]
    fn every_problem_is_reported_at_once_and_no_password_is() {
        let environment = [
            ("POSTGRES_URL", "mysql://a:hunter2@b/"),
            ("POSTHASTE__HTTP__LISTEN", "nowhere"),
            ("POSTHASTE__GUARD__DENY", "10.0.0.0/99"),
            ("POSTHASTE__RETRY__DEALY", "1"),
            ("WEBHOOK_WORKERS", "many"),
            ("POSTHASTE__HTTP__TOKENS", "short"),
        ];
        let text = with(Mode::Serve(Role::All), &environment).expect_err("invalid").to_string();
        for key in ["redis.url", "postgres.url", "http.listen", "guard.deny", "retry.dealy", "worker.in_flight", "http.tokens"] {
            assert!(text.contains(&format!("\n  {key}: ")), "{key} in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn nothing_is_kept_for_no_time_at_all() {
        let days = |days| with(Mode::Embedded, &[("POSTHASTE__RETENTION__DAYS", days)]).map(|settings| settings.retention.keep);
        assert_eq!(days("0.5").expect("valid"), Duration::from_secs(43_200));
        assert_eq!(days("36500").expect("valid"), Duration::from_secs(36_500 * 86_400));
        for wrong in ["0", "-1", "36501", "NaN", "ever"] {
            assert!(days(wrong).expect_err(wrong).to_string().contains("\n  retention.days: "), "{wrong}");
        }
    }

    #[test]
    fn an_api_that_others_can_reach_needs_a_token() {
        let mut environment = SERVERS.to_vec();
        environment.push(("POSTHASTE__HTTP__LISTEN", "0.0.0.0:8000"));
        assert!(with(Mode::Serve(Role::Api), &environment).is_err());
        assert!(with(Mode::Serve(Role::Worker), &environment).is_ok());
        environment.push(("POSTHASTE__HTTP__TOKENS", "0123456789abcdef"));
        assert!(with(Mode::Serve(Role::Api), &environment).is_ok());
    }

    #[test]
    fn the_embedded_mode_reaches_loopback_and_needs_no_server() {
        let settings = with(Mode::Embedded, &[]).expect("valid");
        assert_eq!(settings.guard.allow.len(), 2);
    }
}
