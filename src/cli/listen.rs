//! `posthaste listen`: a receiver to try things with, on this machine alone.

mod signature;

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use clap::Args;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use self::signature::Key;
use super::{CliError, Streams, input, table};
use crate::model::{clock, json};

/// What is read of a body.
const MAX_BODY: usize = 4 << 20;
/// What is shown of one, in characters.
const SHOWN: usize = 2_000;

#[derive(Debug, Args)]
pub struct ListenArgs {
    /// On which port of 127.0.0.1
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The endpoint's secret, `@file` or `-` for standard input: what is not signed with it is answered with 401
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// The status of every other answer, such as 500 to see what follows a failure
    #[arg(long, default_value_t = 204, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
}

struct Receiver {
    key: Option<Key>,
    status: StatusCode,
    said: mpsc::Sender<Said>,
}

/// What is printed of a request.
struct Said {
    line: String,
    /// With a colour for the status.
    status: StatusCode,
    body: String,
}

/// Prints what it gets, until Ctrl-C.
pub(super) async fn run(args: ListenArgs, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let secret = args.secret.map(|given| input::text(&given, "--secret")).transpose()?;
    let key = secret.map(|secret| Key::of(secret.trim())).transpose().map_err(CliError::Usage)?;
    let status = StatusCode::from_u16(args.status).map_err(|error| CliError::Usage(format!("--status {}: {error}", args.status)))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(|error| taken(args.port, &error))?;
    let answers = match &key {
        Some(_) => format!("answers {status} to what is signed with the secret, and 401 to the rest"),
        None => format!("answers {status}; signatures are not checked without --secret"),
    };
    writeln!(streams.out, "listening on http://{}: {answers}. Ctrl-C ends it", listener.local_addr()?)?;
    streams.out.flush()?;
    // What is not printed yet holds up those who ask, and no memory.
    let (said, mut heard) = mpsc::channel(1);
    let router = Router::new().fallback(receive).with_state(Arc::new(Receiver { key, status, said }));
    let print = async {
        while let Some(said) = heard.recv().await {
            show(&said, streams)?;
        }
        Ok::<_, CliError>(())
    };
    tokio::select! {
        served = async { axum::serve(listener, router).await } => Ok(served?),
        printed = print => printed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn taken(port: u16, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("cannot listen on 127.0.0.1:{port} ({error}): choose another one with --port"))
}

fn show(Said { line, status, body }: &Said, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let answer = format!("answered {}", status.as_u16());
    let answer = match table::colour_of(if status.is_success() { "delivered" } else { "failed" }).filter(|_| streams.colour) {
        Some(code) => format!("{code}{answer}\x1b[0m"),
        None => answer,
    };
    writeln!(streams.out, "{}  {answer}", table::plain(line))?;
    if !body.is_empty() {
        writeln!(streams.out, "  {}", table::plain(body))?;
    }
    Ok(streams.out.flush()?)
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let asked = format!("{} {}", head.method, head.uri);
    let (parts, status, body) = match to_bytes(body, MAX_BODY).await {
        Ok(body) => {
            let (verdict, status) = receiver.judge(&head.method, &head.headers, &body);
            (told(&head.headers, verdict), status, shown(&body))
        }
        Err(error) => (vec![format!("cannot be read: {error}")], StatusCode::PAYLOAD_TOO_LARGE, String::new()),
    };
    let line = std::iter::once(asked).chain(parts).collect::<Vec<_>>().join("  ");
    // Whoever printed it has ended, and so will this.
    let _ = receiver.said.send(Said { line, status, body }).await;
    status
}

impl Receiver {
    /// What is to be said of the signature, and the answer.
    fn judge(&self, method: &Method, headers: &HeaderMap, body: &[u8]) -> (Option<&'static str>, StatusCode) {
        match &self.key {
            // Looks whether somebody is there; only what has a body is signed.
            Some(key) if !matches!(*method, Method::HEAD | Method::GET) => match key.verify(headers, body, clock::now().timestamp()) {
                Ok(()) => (Some("signature right"), self.status),
                Err(wrong) => (Some(wrong), StatusCode::UNAUTHORIZED),
            },
            _ => (None, self.status),
        }
    }
}

/// What the headers say of the event.
fn told(headers: &HeaderMap, verdict: Option<&str>) -> Vec<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let test = headers.contains_key("x-webhook-test").then(|| "test".to_owned());
    let attempt = text("x-webhook-attempt").map(|number| format!("attempt {number}"));
    [text("x-webhook-event"), text("webhook-id"), attempt, test, verdict.map(str::to_owned)].into_iter().flatten().collect()
}

/// The body on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = if serde_json::from_str::<&RawValue>(&text).is_ok() { json::compact(&text) } else { text };
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
