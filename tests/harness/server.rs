//! A server process that can be stopped, killed, paused and started again on the same port and data.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use super::eventually::{LONG, eventually};
use super::watchdog;

/// How a server is started and ended.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Everything that it writes; its output goes to `log` in it.
    pub(crate) dir: PathBuf,
    /// User and group, where it must not be ours.
    pub(crate) user: Option<(u32, u32)>,
    /// Ends it in order, data written.
    pub(crate) stop_signal: &'static str,
    /// Ends it at once, leaving nothing behind.
    pub(crate) drop_signal: &'static str,
}

pub(crate) struct Server {
    spec: Spec,
    child: Mutex<Option<Child>>,
}

impl Server {
    pub(crate) fn new(spec: Spec) -> Self {
        Self { spec, child: Mutex::new(None) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.spec.dir
    }

    /// Starts it, and returns when `ready` says so.
    pub(crate) async fn start(&self, ready: impl AsyncFn(u32) -> bool) {
        let end = Instant::now() + LONG;
        let mut pid = self.spawn();
        while !ready(pid).await {
            assert!(Instant::now() < end, "{} did not start:\n{}", self.spec.name, self.log());
            if self.has_ended() {
                // What was killed may hold its port or shared memory for a moment longer.
                pid = self.spawn();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Ends it in order.
    pub(crate) async fn stop(&self) {
        self.end(self.spec.stop_signal).await;
    }

    /// Ends it as a power cut would: `kill -9`.
    pub(crate) async fn kill(&self) {
        self.end("KILL").await;
    }

    /// Lets it hang: connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        watchdog::signal("STOP", self.pid());
    }

    pub(crate) fn resume(&self) {
        watchdog::signal("CONT", self.pid());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().expect("no panic while locked").as_ref().expect("the server runs").id()
    }

    async fn end(&self, signal: &str) {
        watchdog::signal(signal, self.pid());
        eventually(LONG, async || self.has_ended().then_some(())).await;
    }

    fn has_ended(&self) -> bool {
        let mut child = self.child.lock().expect("no panic while locked");
        let Some(running) = child.as_mut() else { return true };
        let ended = running.try_wait().expect("our own child").is_some();
        if ended {
            watchdog::forget(running.id());
            *child = None;
        }
        ended
    }

    fn spawn(&self) -> u32 {
        let mut command = Command::new(&self.spec.program);
        command.args(&self.spec.args).current_dir(&self.spec.dir).stdin(Stdio::null());
        command.stdout(self.log_file()).stderr(self.log_file()).process_group(0);
        if let Some((user, group)) = self.spec.user {
            command.uid(user).gid(group);
        }
        let started = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.spec.name));
        let pid = started.id();
        watchdog::watch(self.spec.drop_signal, pid);
        *self.child.lock().expect("no panic while locked") = Some(started);
        pid
    }

    fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.spec.dir.join("log")).expect("our own directory")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.spec.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = self.child.get_mut().ok().and_then(Option::as_mut) {
            watchdog::signal("CONT", child.id());
            watchdog::signal(self.spec.drop_signal, child.id());
            let _ended = child.wait();
            watchdog::forget(child.id());
        }
        let _gone = std::fs::remove_dir_all(&self.spec.dir);
    }
}
