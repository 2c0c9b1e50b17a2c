//! `posthaste events …`: door 4, over door 2, and what was accepted through any door.

mod looks;

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{Call, Client};
use super::{CliError, Connection, Streams, input, output};
use crate::model::problem::Problem;

/// What one request may hold: the API's limit, and less than the body that it takes by default.
const MAX_EVENTS: usize = 1000;
const MAX_BYTES: usize = 8 << 20;

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Enqueue one event, or a file of them
    Send(SendArgs),
    /// List events, newest first, without their data
    List(looks::ListArgs),
    /// Show one event with its data and its deliveries
    Get(looks::GetArgs),
    /// Show events as they are accepted, until Ctrl-C; newest at the bottom
    Tail(looks::TailArgs),
}

#[derive(Debug, Args)]
pub struct SendArgs {
    /// What happened, such as order.created
    #[arg(long = "type", value_name = "EVENT_TYPE", required_unless_present = "file")]
    event_type: Option<String>,
    /// JSON, `@file`, or `-` for standard input; passed on as it is spelled
    #[arg(long, required_unless_present = "file", allow_hyphen_values = true)]
    data: Option<String>,
    /// The same id again is the same event; left out, one is made
    #[arg(long)]
    id: Option<String>,
    /// Where it comes from, as receivers see it
    #[arg(long)]
    source: Option<String>,
    /// The tenant it belongs to
    #[arg(long)]
    tenant: Option<String>,
    /// Unix seconds of the event; left out, now
    #[arg(long, allow_negative_numbers = true)]
    timestamp: Option<f64>,
    /// The version of its data, as receivers see it; left out, 1.0
    #[arg(long)]
    version: Option<String>,
    /// The trace that it goes on with (W3C Trace Context), as receivers get it: 00-<trace id>-<parent id>-01
    #[arg(long)]
    traceparent: Option<String>,
    /// Events as JSON objects, one a line, from a file or `-` for standard input
    #[arg(long, conflicts_with_all = ["event_type", "data", "id", "source", "tenant", "timestamp", "version", "traceparent"])]
    file: Option<String>,
    /// The same command again, with the same key, enqueues nothing again: 1 to 255 visible ASCII characters, such as a UUID. Each request of a
    /// file has the key with its number, as KEY/1
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct NewEvent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    event_type: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Deserialize)]
struct Accepted {
    ids: Vec<String>,
}

pub(super) async fn run(connection: &Connection, command: EventsCommand, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    let args = match command {
        EventsCommand::Send(args) => args,
        EventsCommand::List(args) => return looks::list(&client, args, connection, streams).await,
        EventsCommand::Get(args) => return looks::get(&client, &args, connection, streams).await,
        EventsCommand::Tail(args) => return looks::tail(&client, args, connection, streams).await,
    };
    match &args.file {
        Some(path) => send_file(&client, path, args.idempotency_key.as_deref(), connection, streams).await,
        None => send_one(&client, &args, connection, streams).await,
    }
}

async fn send_one(client: &Client, args: &SendArgs, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let data = input::json(args.data.as_deref().unwrap_or_default(), "--data")?;
    let event = NewEvent {
        id: args.id.as_deref(),
        event_type: args.event_type.as_deref().unwrap_or_default(),
        data: &data,
        timestamp: args.timestamp,
        source: args.source.as_deref(),
        version: args.version.as_deref(),
        tenant: args.tenant.as_deref(),
        traceparent: args.traceparent.as_deref(),
    };
    let body = serde_json::to_string(&event).map_err(|error| CliError::Usage(format!("this is not an event: {error}")))?;
    let answer = client.call(Call::with_body(Method::POST, &["events"], body).once(args.idempotency_key.clone())).await?;
    if connection.json {
        return output::raw(&answer, streams);
    }
    for id in output::parse::<Accepted>(&answer)?.ids {
        writeln!(streams.out, "{id}")?;
    }
    Ok(())
}

/// Lines on their way, with their numbers in the file.
#[derive(Default)]
struct Chunk {
    body: String,
    lines: Vec<usize>,
}

impl Chunk {
    fn is_full_for(&self, line: &str) -> bool {
        self.lines.len() == MAX_EVENTS || (!self.lines.is_empty() && self.body.len() + line.len() > MAX_BYTES)
    }

    fn push(&mut self, line: &str, number: usize) {
        self.body.push(if self.lines.is_empty() { '[' } else { ',' });
        self.body.push_str(line);
        self.lines.push(number);
    }
}

/// Sends a file in requests of many events each. Those sent before a wrong line stay sent.
async fn send_file(
    client: &Client,
    path: &str,
    key: Option<&str>,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let unreadable = |error: io::Error| CliError::Usage(format!("--file {path}: {error}"));
    let reader: Box<dyn BufRead> =
        if path == "-" { Box::new(BufReader::new(io::stdin())) } else { Box::new(BufReader::new(File::open(path).map_err(unreadable)?)) };
    let mut chunk = Chunk::default();
    let (mut sent, mut requests) = (0, 0);
    // Each has another body, and so needs another key: the same ones when the file is sent again.
    let mut next_key = || {
        requests += 1;
        key.map(|key| format!("{key}/{requests}"))
    };
    for (at, line) in reader.lines().enumerate() {
        let line = line.map_err(unreadable)?;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        // A line that is not JSON by itself could break the array that it is sent in.
        serde_json::from_str::<&RawValue>(line).map_err(|error| {
            CliError::Usage(format!("--file {path}: line {} is not valid JSON: {error} ({sent} events were sent before)", at + 1))
        })?;
        if chunk.is_full_for(line) {
            sent += send_chunk(client, std::mem::take(&mut chunk), next_key(), sent, connection, streams).await?;
        }
        chunk.push(line, at + 1);
    }
    if !chunk.lines.is_empty() {
        sent += send_chunk(client, chunk, next_key(), sent, connection, streams).await?;
    }
    if !connection.json {
        writeln!(streams.out, "{sent} events accepted")?;
    }
    Ok(())
}

async fn send_chunk(
    client: &Client,
    chunk: Chunk,
    key: Option<String>,
    sent: usize,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<usize, CliError> {
    let call = Call::with_body(Method::POST, &["events"], chunk.body + "]").once(key);
    let answer = client.call(call).await.map_err(|error| by_line(error, &chunk.lines, sent))?;
    if connection.json {
        output::raw(&answer, streams)?;
    }
    Ok(chunk.lines.len())
}

/// Names the lines of the file where the API names the elements of the array.
fn by_line(error: CliError, lines: &[usize], sent: usize) -> CliError {
    let CliError::Refused { status, detail, errors } = error else {
        return error;
    };
    let rename = |problem: Problem| match element(&problem.field).and_then(|(at, rest)| Some((lines.get(at)?, rest))) {
        Some((line, rest)) => {
            Problem::new(format!("line {line}{}", if rest.is_empty() { String::new() } else { format!(", {rest}") }), problem.message)
        }
        None => problem,
    };
    let detail = if sent == 0 { detail } else { format!("{detail}; {sent} events were sent before") };
    CliError::Refused { status, detail, errors: errors.into_iter().map(rename).collect() }
}

/// `events[3].event_type` as 3 and `event_type`.
fn element(field: &str) -> Option<(usize, &str)> {
    let (at, rest) = field.strip_prefix("events[")?.split_once(']')?;
    Some((at.parse().ok()?, rest.trim_start_matches('.')))
}
