//! What is in Redis, by its name and type.

mod cluster;
mod names;

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

/// All keys that match, sorted.
async fn keys(redis: &mut MultiplexedConnection, pattern: &str) -> Vec<String> {
    let mut keys: Vec<String> = redis.keys(pattern).await.expect("Redis runs");
    keys.sort();
    keys
}

async fn type_of(redis: &mut MultiplexedConnection, key: &str) -> String {
    redis::cmd("TYPE").arg(key).query_async(redis).await.expect("Redis runs")
}

/// An entry of door 1.
fn entry(id: &str) -> String {
    format!(r#"{{"id": "{id}", "event_type": "a", "data": {{"n": 1}}, "timestamp": 1763757296.12}}"#)
}
