//! Private Redis servers.

use std::sync::atomic::{AtomicU32, Ordering};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::OnceCell;

use super::eventually::LONG;
use super::places;
use super::server::{Server, Spec};
use super::watchdog;

/// Nothing goes to disk.
const FORGETFUL: &[&str] = &["--appendonly", "no"];

/// A Redis of our own, gone when it is dropped or the tests end.
pub(crate) struct Redis {
    server: Server,
    port: u16,
    /// Where nodes of a cluster talk to each other.
    bus_port: Option<u16>,
}

impl Redis {
    /// The one that ordinary tests share, each with its own prefix.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Redis> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::launch(FORGETFUL, None)).await
    }

    /// For a test that stops, pauses or flushes it. It keeps an append-only file, as in production: `kill` may cost the last second.
    pub(crate) async fn private() -> Self {
        Self::launch(&["--appendonly", "yes"], None).await
    }

    /// As [`Redis::private`], but what it answered to survives `kill` too.
    pub(crate) async fn durable() -> Self {
        Self::launch(&["--appendonly", "yes", "--appendfsync", "always"], None).await
    }

    /// As [`Redis::private`], but it comes back empty.
    pub(crate) async fn forgetful() -> Self {
        Self::launch(FORGETFUL, None).await
    }

    /// A node of a [`super::cluster::Cluster`], by itself yet.
    pub(crate) async fn clustered() -> Self {
        let bus_port = places::free_port();
        let port_text = bus_port.to_string();
        let mut args = vec!["--appendonly", "yes", "--cluster-enabled", "yes", "--cluster-port", &port_text];
        args.extend(["--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"]);
        Self::launch(&args, Some(bus_port)).await
    }

    async fn launch(keeping: &[&str], bus_port: Option<u16>) -> Self {
        let (dir, port) = (watchdog::directory("redis"), places::free_port());
        let (dir_text, port_text) = (dir.display().to_string(), port.to_string());
        let args = ["--port", &port_text, "--bind", "127.0.0.1", "--dir", &dir_text, "--save", ""];
        let spec = Spec {
            name: "Redis",
            program: places::program("Redis", &["redis-server", "valkey-server"]),
            args: args.iter().chain(keeping).map(|arg| (*arg).to_owned()).collect(),
            dir,
            user: None,
            stop_signal: "TERM",
            drop_signal: "KILL",
        };
        let redis = Self { server: Server::new(spec), port, bus_port };
        redis.start().await;
        redis
    }

    /// Starts it again after [`Redis::stop`] or [`Redis::kill`].
    pub(crate) async fn start(&self) {
        let is_ours = async |pid: u32| {
            let Ok(mut connection) = connect(&self.url()).await else { return false };
            let info: Result<String, _> = redis::cmd("INFO").query_async(&mut connection).await;
            info.is_ok_and(|info| info.contains(&format!("process_id:{pid}\r")) && info.contains("loading:0"))
        };
        self.server.start(is_ours).await;
    }

    pub(crate) async fn stop(&self) {
        self.server.stop().await;
    }

    pub(crate) async fn kill(&self) {
        self.server.kill().await;
    }

    pub(crate) fn pause(&self) {
        self.server.pause();
    }

    pub(crate) fn resume(&self) {
        self.server.resume();
    }

    pub(crate) async fn flush(&self) {
        let mut connection = self.connect().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("Redis runs");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A connection for the tests' own commands.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        connect(&self.url()).await.expect("Redis runs")
    }
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{{t{}}}:", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A connection for the tests' own commands. The library's half a second for an answer is too short on a busy machine.
pub(crate) async fn connect(url: &str) -> redis::RedisResult<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_connection_timeout(Some(LONG)).set_response_timeout(Some(LONG));
    redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await
}
