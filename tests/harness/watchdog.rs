//! Ends what the tests started and removes what they wrote, also when the test binary is killed.
//!
//! A `sh` holds one end of a pipe; the other end closes with this process, whatever ends it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

/// `watch SIGNAL PID`, `forget PID`; at the end of input every watched process gets its signal and five seconds.
const SCRIPT: &str = r#"
watched=
while read -r verb first second; do
    case $verb in
        watch) watched="$watched $first:$second" ;;
        forget)
            rest=
            for one in $watched; do [ "${one#*:}" = "$first" ] || rest="$rest $one"; done
            watched=$rest ;;
    esac
done
for one in $watched; do kill -"${one%%:*}" "${one#*:}"; done
tries=0
for one in $watched; do
    while kill -0 "${one#*:}" && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
    kill -KILL "${one#*:}"
done
rm -rf "$1"
"#;

struct Watchdog {
    root: PathBuf,
    pipe: Mutex<ChildStdin>,
}

#[expect(clippy::zombie_processes, reason = "it ends after this process, by design")]
static WATCHDOG: LazyLock<Watchdog> = LazyLock::new(|| {
    let root = tempfile::Builder::new().prefix("posthaste-tests-").tempdir().expect("a temporary directory").keep();
    // PostgreSQL may have to run as another user, who must be able to reach its directory.
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).expect("our own directory");
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .arg(&root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C reaches the whole group; the watchdog has to outlive it.
        .process_group(0)
        .spawn()
        .expect("sh starts");
    let pipe = Mutex::new(child.stdin.take().expect("piped"));
    Watchdog { root, pipe }
});

fn tell(line: &str) {
    let mut pipe = WATCHDOG.pipe.lock().expect("no panic while locked");
    pipe.write_all(line.as_bytes()).expect("the watchdog lives as long as this process");
}

/// The process gets `signal` (a name such as `KILL`) when this process ends.
pub(crate) fn watch(signal: &str, pid: u32) {
    tell(&format!("watch {signal} {pid}\n"));
}

/// The process has ended: its number may soon be somebody else's.
pub(crate) fn forget(pid: u32) {
    tell(&format!("forget {pid}\n"));
}

/// A new empty directory that is gone after the tests.
pub(crate) fn directory(purpose: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = root().join(format!("{purpose}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&path).expect("a new name");
    path
}

/// The directory above all others.
pub(crate) fn root() -> &'static Path {
    &WATCHDOG.root
}

/// Sends a signal by name. A process that is gone is none of our business.
pub(crate) fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null()).status();
    status.expect("sh starts");
}
