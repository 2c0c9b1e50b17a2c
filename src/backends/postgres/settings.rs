//! What the backend has to be told.

use std::time::Duration;

/// How Postgres is reached. No `Debug`: the URL carries credentials.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database?sslmode=…`. Without `sslmode` there is no TLS. `require`, `verify-ca` and
    /// `verify-full` all check the server's certificate and name against the system's certificates; `prefer` does so where the
    /// server offers TLS.
    pub url: String,
    /// How many connections at most, besides the recorder's own.
    pub connections: u32,
    pub connect_timeout: Duration,
    /// How long one statement may take before the server gives it up.
    pub statement_timeout: Duration,
}
