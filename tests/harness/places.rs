//! Free ports, and where servers are installed.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 20_000;

/// A port that nothing listens on. It lies below the range that the kernel gives to outgoing connections,
/// so nobody takes it while its server is restarted.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(367)));
    loop {
        let number = FIRST_PORT + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = u16::try_from(number).expect("below 65,536");
        if reserve(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Keeps the port from other test binaries on this machine until this one ends, also while nothing listens on it.
fn reserve(port: u16) -> bool {
    static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let directory = std::env::temp_dir().join("posthaste-test-ports");
    std::fs::create_dir_all(&directory).expect("the system's directory for temporary files");
    let file = File::create(directory.join(port.to_string())).expect("our own directory");
    let ours = file.try_lock().is_ok();
    if ours {
        RESERVED.lock().expect("no panic while locked").push(file);
    }
    ours
}

/// Finds one of `names` on the PATH or where Debian and Homebrew put servers.
///
/// # Panics
/// With the line that installs it.
pub(crate) fn program(server: &str, names: &[&str]) -> PathBuf {
    let mut places = vec![PathBuf::new()];
    places.extend(["/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    places.extend(versions("/usr/lib/postgresql", "").into_iter().chain(versions("/usr/pgsql", "")));
    places.extend(versions("/opt/homebrew/opt", "postgresql").into_iter().chain(versions("/usr/local/opt", "postgresql")));
    let candidates = places.iter().flat_map(|place| names.iter().map(move |name| place.join(name)));
    candidates.into_iter().find(|path| runs(path)).unwrap_or_else(|| {
        panic!("{server} is not installed ({} not found). To install it: sh scripts/install-servers.sh", names.join(" or "))
    })
}

/// `<parent>/<name that starts with prefix>/bin`, the newest version first.
fn versions(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = Path::new(parent).read_dir() else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).collect();
    let number = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0);
    found.sort_by_key(|entry| std::cmp::Reverse(number(&entry.file_name().to_string_lossy())));
    found.into_iter().map(|entry| entry.path().join("bin")).collect()
}

fn runs(path: &Path) -> bool {
    Command::new(path).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A user without rights, by number and group, from the list of users: `initdb` refuses root.
pub(crate) fn unprivileged_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("a list of users");
    let find = |wanted: &str| {
        let fields: Vec<_> = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == wanted)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).expect("a user postgres or nobody")
}
