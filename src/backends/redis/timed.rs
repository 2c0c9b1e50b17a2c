//! A connection whose calls are timed.

use std::collections::HashMap;
use std::sync::Arc;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, ServerErrorKind, Value};

use super::error::BACKEND;
use crate::backends::meter::Meter;

/// The scripts' names by their hashes.
pub(super) type Names = Arc<HashMap<String, &'static str>>;

#[derive(Clone)]
pub(super) struct Timed<C> {
    inner: C,
    meter: Meter,
    names: Names,
}

impl<C> Timed<C> {
    pub(super) fn new(inner: C, meter: Meter, names: Names) -> Self {
        Self { inner, meter, names }
    }
}

impl<C: ConnectionLike + Send> ConnectionLike for Timed<C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let call = name(command, &self.names);
        Box::pin(self.meter.time(BACKEND, call, forgotten, self.inner.req_packed_command(command)))
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        let call = pipeline.cmd_iter().next().map_or("other", name_of_pipeline);
        Box::pin(self.meter.time(BACKEND, call, forgotten, self.inner.req_packed_commands(pipeline, offset, count)))
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}

/// A server that does not know a script is given it, and asked again.
fn forgotten(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn words(command: &Cmd) -> impl Iterator<Item = &[u8]> {
    command.args_iter().map(|word| if let Arg::Simple(word) = word { word } else { b"" })
}

fn name(command: &Cmd, names: &Names) -> &'static str {
    let mut words = words(command);
    match words.next() {
        Some(b"EVALSHA") => {
            words.next().and_then(|hash| std::str::from_utf8(hash).ok()).and_then(|hash| names.get(hash)).copied().unwrap_or("other")
        }
        Some(b"ZADD") => "offer",
        Some(b"GET") => "get",
        Some(b"PING") => "ping",
        _ => "other",
    }
}

/// What happens in one transaction, by what it begins with.
fn name_of_pipeline(first: &Cmd) -> &'static str {
    match words(first).next() {
        Some(b"LLEN") => "depth",
        Some(b"ZRANGE") => "oldest",
        Some(b"TIME") => "pauses",
        Some(b"HDEL" | b"DEL" | b"ZREM" | b"LPUSH") => "settle",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_one_of_a_few_names() {
        let names: Names = Arc::new([("abc".to_owned(), "reserve")].into());
        for (words, wanted) in [
            (vec!["EVALSHA", "abc", "1"], "reserve"),
            (vec!["EVALSHA", "abd"], "other"),
            (vec!["ZADD", "k"], "offer"),
            (vec!["SET"], "other"),
        ] {
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            assert_eq!(name(&command, &names), wanted, "{words:?}");
        }
        let mut pipe = redis::pipe();
        pipe.atomic().zrem("a", "b").del("c");
        assert_eq!(pipe.cmd_iter().next().map(name_of_pipeline), Some("settle"));
    }
}
