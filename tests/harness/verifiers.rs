//! Programs in other languages: what `scripts/install-verifiers.sh` installs, and the scripts in `tests/receivers`.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::received::Received;
use super::watchdog;

/// What a script wrote; it must have ended well.
pub(crate) async fn python(script: &str, args: &[&str]) -> String {
    run(installed("venv/bin/python"), script, args).await
}

/// What a script wrote; it must have ended well.
pub(crate) async fn node(script: &str, args: &[&str]) -> String {
    installed("node_modules/standardwebhooks");
    run(PathBuf::from("node"), script, args).await
}

/// Writes requests with the secrets of their endpoints where scripts can read them, and returns the file's name.
pub(crate) fn write_requests<'a>(requests: impl IntoIterator<Item = (&'a str, &'a Received)>) -> String {
    write(requests.into_iter().map(|(secret, request)| recorded(secret, request, true)).collect())
}

/// The same for one request and a secret that was replaced and still signs.
pub(crate) fn write_earlier(secret: &str, request: &Received) -> String {
    write(vec![recorded(secret, request, false)])
}

fn write(recorded: Vec<Value>) -> String {
    let file = watchdog::directory("recorded").join("requests.json");
    std::fs::write(&file, Value::from(recorded).to_string()).expect("our own directory");
    file.display().to_string()
}

/// Holds a running server against its own `/openapi.json`, with all checks of schemathesis. `more` are further arguments. Panics
/// with what it found.
pub(crate) async fn schemathesis(url: &str, more: &[String]) {
    let program = installed("venv/bin/schemathesis");
    let mut command = std::process::Command::new(program);
    command.args(["run", &format!("{url}/openapi.json"), "--checks", "all", "--continue-on-failure", "--no-color"]).args(more);
    // Where it is run from, a configuration file that lies about must not be found.
    command.current_dir(watchdog::directory("schemathesis")).stdin(Stdio::null());
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_formats").env("PYTHONPATH", root().join("tests/receivers"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What another installed program did, run in the folder of this package. It need not have ended well.
pub(crate) async fn tool(name: &str, args: &[&str]) -> Output {
    let program = installed(&format!("venv/bin/{name}"));
    let mut command = std::process::Command::new(&program);
    // No cluster that somebody is logged in to has anything to do with tests.
    command.args(args).current_dir(root()).env("KUBECONFIG", "/dev/null").env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    ran.unwrap_or_else(|error| panic!("{}: {error}. To install it: sh scripts/install-verifiers.sh", program.display()))
}

fn recorded(secret: &str, request: &Received, newest: bool) -> Value {
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("visible ASCII")));
    let headers: serde_json::Map<_, _> = headers.map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({"secret": secret, "newest": newest, "headers": headers, "body": STANDARD.encode(&request.body)})
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn installed(path: &str) -> PathBuf {
    let path = root().join("target/verifiers").join(path);
    assert!(path.exists(), "{} is not installed. To install it: sh scripts/install-verifiers.sh", path.display());
    path
}

async fn run(program: PathBuf, script: &str, args: &[&str]) -> String {
    let mut command = std::process::Command::new(&program);
    command.arg(root().join("tests/receivers").join(script)).args(args).stdin(Stdio::null());
    command.env("NODE_PATH", root().join("target/verifiers/node_modules"));
    let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    let output = ran.unwrap_or_else(|error| panic!("{}: {error}. To install it: sh scripts/install-verifiers.sh", program.display()));
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
