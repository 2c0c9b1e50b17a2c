//! Private PostgreSQL servers.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;
use tokio_util::task::AbortOnDropHandle;

use super::places;
use super::server::{Server, Spec};
use super::watchdog;

/// A PostgreSQL of our own, gone when it is dropped or the tests end.
pub(crate) struct Postgres {
    server: Server,
    port: u16,
}

/// A connection; it closes when this is dropped.
pub(crate) struct Connection {
    client: tokio_postgres::Client,
    _driver: AbortOnDropHandle<()>,
}

impl std::ops::Deref for Connection {
    type Target = tokio_postgres::Client;
    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl std::ops::DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.client
    }
}

impl Postgres {
    /// The one that ordinary tests share, each with its own database. It does not flush to disk: no test cuts its power.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::launch(false)).await
    }

    /// For a test that stops, kills or pauses it. It flushes to disk as in production.
    pub(crate) async fn private() -> Self {
        Self::launch(true).await
    }

    async fn launch(durable: bool) -> Self {
        let (dir, port) = (watchdog::directory("postgres"), places::free_port());
        let is_root = dir.metadata().expect("just made").uid() == 0;
        let user = is_root.then(places::unprivileged_user);
        if let Some((user, group)) = user {
            chown(&dir, Some(user), Some(group)).expect("root may");
        }
        let data = dir.join("data");
        make_cluster(&data, user);
        let fsync = if durable { "fsync=on" } else { "fsync=off" };
        let port_setting = format!("port={port}");
        let settings = [
            port_setting.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
            "autovacuum_naptime=10s",
            fsync,
        ];
        let mut args = vec!["-D".to_owned(), data.display().to_string()];
        args.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        let program = places::program("PostgreSQL", &["postgres"]);
        let spec = Spec { name: "PostgreSQL", program, args, dir, user, stop_signal: "INT", drop_signal: "QUIT" };
        let postgres = Self { server: Server::new(spec), port };
        postgres.start().await;
        postgres
    }

    /// Starts it again after [`Postgres::stop`] or [`Postgres::kill`], with its data.
    pub(crate) async fn start(&self) {
        let data = self.server.dir().join("data").display().to_string();
        let is_ours = async |_pid| {
            let Ok(connection) = connect(&self.url("postgres")).await else { return false };
            let answer = connection.query_one("SHOW data_directory", &[]).await;
            answer.is_ok_and(|row| row.get::<_, String>(0) == data)
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

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new database, a copy of `template`; `template1` is an empty one.
    pub(crate) async fn database(&self, template: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let connection = connect(&self.url("postgres")).await.expect("PostgreSQL runs");
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connection.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        self.url(&name)
    }
}

/// A connection for the tests' own SQL.
pub(crate) async fn connect(url: &str) -> Result<Connection, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driver = tokio_util::task::TaskTracker::new().spawn(async move {
        // Its end is the connection's end, which the client reports.
        let _ended = connection.await;
    });
    Ok(Connection { client, _driver: AbortOnDropHandle::new(driver) })
}

fn make_cluster(data: &Path, user: Option<(u32, u32)>) {
    let mut command = Command::new(places::program("PostgreSQL", &["initdb"]));
    command.arg("-D").arg(data).args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    command.current_dir(data.parent().expect("below the root"));
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    let output = command.output().expect("initdb starts");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}
