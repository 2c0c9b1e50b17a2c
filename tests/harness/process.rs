//! The program itself, as users run it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use super::api::Api;
use super::eventually::{LONG, eventually};
use super::{places, watchdog};

/// How to run it: arguments and environment. Nothing of the tests' own environment configures it.
#[derive(Clone)]
pub(crate) struct Launch {
    args: Vec<String>,
    env: Vec<(String, String)>,
    port: u16,
    shell: Option<String>,
}

/// Running; killed when it is dropped. A failing test shows what it wrote.
pub(crate) struct Process {
    child: Child,
    ended: Option<ExitStatus>,
    name: String,
    port: u16,
    stdout: Captured,
    stderr: Captured,
}

/// What a command that ran to its end left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Launch {
    pub(crate) fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        Self { args: args.into_iter().map(str::to_owned).collect(), env: Vec::new(), port: places::free_port(), shell: None }
            .requests_may_reach_this_machine()
    }

    /// A line as one types it: a shell runs it, and finds the program by its name. Nothing configures that.
    #[expect(clippy::disallowed_methods, reason = "no setting: the shell needs it to find anything")]
    pub(crate) fn typed(line: &str) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_posthaste")).parent().expect("a file is in a folder");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("every process has one"));
        Self { args: Vec::new(), env: vec![("PATH".into(), path)], port: places::free_port(), shell: Some(line.to_owned()) }
    }

    /// `role`: all, api or worker.
    pub(crate) fn serve(role: &str, postgres_url: &str, redis_url: &str, prefix: &str) -> Self {
        let launch = Self::new(["serve", "--role", role]).listening();
        launch.set("POSTGRES_URL", postgres_url).set("REDIS_URL", redis_url).set("POSTHASTE__REDIS__PREFIX", prefix)
    }

    /// Embedded, over one SQLite file.
    pub(crate) fn dev(file: &Path) -> Self {
        Self::new(["dev"]).listening().set("POSTHASTE__SQLITE__PATH", &file.display().to_string())
    }

    /// A variable of its environment; the last one counts.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Run by a shell after these commands, as `ulimit -f 100`.
    pub(crate) fn after(mut self, commands: &str) -> Self {
        self.shell = Some(format!("{commands}; exec \"$0\" \"$@\""));
        self
    }

    /// Where it will listen, instead of a free port.
    pub(crate) fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self.listening()
    }

    fn listening(self) -> Self {
        let listen = format!("127.0.0.1:{}", self.port);
        self.set("POSTHASTE__HTTP__LISTEN", &listen)
    }

    fn requests_may_reach_this_machine(self) -> Self {
        self.set("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8")
    }

    /// Starts it, and returns when `/ready` answers 200.
    pub(crate) async fn start(self) -> Process {
        let mut process = self.spawn();
        let end = Instant::now() + LONG;
        let api = process.api();
        while api.ready().await != Some(200) {
            let ended = process.status();
            assert!(ended.is_none(), "{} ended before it was ready: {ended:?}\n{}", process.name, process.stderr());
            assert!(Instant::now() < end, "{} was not ready within {LONG:?}", process.name);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        process
    }

    /// Starts it, and does not wait.
    pub(crate) fn spawn(self) -> Process {
        let name = match &self.shell {
            Some(line) if self.args.is_empty() => line.clone(),
            _ => format!("posthaste {}", self.args.join(" ")),
        };
        let program = env!("CARGO_BIN_EXE_posthaste");
        let mut command = Command::new(if self.shell.is_some() { "sh" } else { program });
        if let Some(script) = &self.shell {
            command.args(["-c", script, program]);
        }
        // A configuration file that lies about must not be found.
        command.args(&self.args).current_dir(watchdog::directory("cwd"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| configures(name)) {
            command.env_remove(name);
        }
        command.envs(self.env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        watchdog::watch("KILL", child.id());
        let stdout = Captured::from(child.stdout.take().expect("piped"));
        let stderr = Captured::from(child.stderr.take().expect("piped"));
        Process { child, ended: None, name, port: self.port, stdout, stderr }
    }

    /// Runs it to its end.
    pub(crate) async fn finish(self) -> Finished {
        let mut process = self.spawn();
        let status = process.exited().await;
        process.stdout.close();
        process.stderr.close();
        Finished { code: status.code(), stdout: process.stdout(), stderr: process.stderr() }
    }
}

fn configures(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let plain = ["REDIS_URL", "POSTGRES_URL", "WEBHOOK_WORKERS", "MAX_RETRIES", "RETRY_DELAY", "RUST_LOG"];
    name.starts_with("POSTHASTE") || plain.contains(&&*name) || name.to_ascii_lowercase().ends_with("_proxy")
}

impl Process {
    /// `http://127.0.0.1:<port>`
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has made that are not gone yet.
    pub(crate) fn connections(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        let sockets: HashSet<_> = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        let all = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.child.id())).expect("it runs");
        let taken = format!(":{:04X}", self.port);
        let made = all.lines().skip(1).filter(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            !fields[1].ends_with(&taken) && sockets.contains(Path::new(&format!("socket:[{}]", fields[9])))
        });
        made.count()
    }

    /// How much memory it holds, in KiB.
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url())
    }

    pub(crate) fn pid(&self) -> u32 {
        assert!(self.ended.is_none(), "{} has ended", self.name);
        self.child.id()
    }

    /// Asks it to end: SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// A signal by its name: TERM, INT, STOP, CONT …
    pub(crate) fn signal(&self, name: &str) {
        assert!(self.ended.is_none(), "{} has ended", self.name);
        watchdog::signal(name, self.child.id());
    }

    /// `kill -9`: returns when it is gone.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            self.child.kill().expect("our own child");
            self.ended = Some(self.child.wait().expect("our own child"));
            watchdog::forget(self.child.id());
        }
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("our own child");
            if self.ended.is_some() {
                watchdog::forget(self.child.id());
            }
        }
        self.ended
    }

    /// Waits for its end.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        eventually(LONG, async || self.status()).await
    }

    /// Waits until a line of its log holds all of these.
    pub(crate) async fn logged(&self, parts: &[&str]) -> String {
        let holds = |line: &&str| parts.iter().all(|part| line.contains(part));
        eventually(LONG, async || self.stderr().lines().find(holds).map(str::to_owned)).await
    }

    /// What it wrote so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            self.stdout.close();
            self.stderr.close();
            show(&format!("--- {}: stdout\n{}--- stderr\n{}---", self.name, self.stdout(), self.stderr()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
fn show(text: &str) {
    eprintln!("{text}");
}

impl Captured {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                written.lock().expect("no panic while locked").extend_from_slice(&chunk[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    /// Waits for the last byte; the process must have ended.
    fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic while locked")).into_owned()
    }
}
