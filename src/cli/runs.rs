//! `posthaste runs …`, and following a run that a command started.

use std::time::Duration;

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::{Call, Client};
use super::output::{self, Columns, shown};
use super::progress::Progress;
use super::{CliError, Connection, Streams};

/// How often a run that is followed is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// So many looks in a row may fail: a server that is started anew is back by then.
const PATIENCE: u32 = 60;

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, newest first
    List {
        /// Of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// At most so many, up to 500
        #[arg(long)]
        limit: Option<u32>,
        /// Where the list goes on, as an earlier answer said
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one run
    Get {
        /// The run's id
        id: String,
    },
    /// End a run that is running; what it has done stays
    Cancel {
        /// The run's id
        id: String,
    },
}

const COLUMNS: Columns = Columns { header: &["ID", "KIND", "ENDPOINT", "STATUS", "DONE", "REFUSED", "TOTAL", "STARTED", "ERROR"], cells };

fn cells(item: &Value) -> Vec<String> {
    vec![
        shown(&item["id"]),
        shown(&item["kind"]),
        shown(&item["endpoint_id"]),
        shown(&item["status"]),
        shown(&item["done"]),
        shown(&item["refused"]),
        shown(&item["total"]),
        output::time(&item["created_at"]),
        shown(&item["error"]),
    ]
}

pub(super) async fn run(connection: &Connection, command: RunsCommand, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    match command {
        RunsCommand::List { tenant, limit, cursor } => {
            let call = Call::get(&["runs"]).and("tenant", tenant).and("limit", limit).and("cursor", cursor);
            output::list(&client.call(call).await?, &COLUMNS, connection, streams)
        }
        RunsCommand::Get { id } => {
            let answer = client.call(Call::get(&["runs", &id])).await?;
            output::object(&answer, connection, streams)
        }
        RunsCommand::Cancel { id } => {
            let path = ["runs", &id, "cancel"];
            let answer = client.call(Call { method: Method::POST, ..Call::get(&path) }).await?;
            output::object(&answer, connection, streams)
        }
    }
}

/// The run that an answer speaks of, where the work goes on in the background.
pub(super) fn started(answer: &str) -> Option<Value> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    Some(answer["run"].clone()).filter(|run| run["id"].is_string())
}

/// Shows how the run goes until it ends; or only names it. Interrupted, it leaves the run going.
pub(super) async fn follow(
    client: &Client,
    answer: &str,
    wait: bool,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let run = started(answer).unwrap_or_default();
    let id = shown(&run["id"]);
    if !wait {
        if connection.json {
            return output::raw(answer, streams);
        }
        writeln!(streams.out, "run {id} goes on in the background: `posthaste runs get {id}` shows how far it is")?;
        return Ok(());
    }
    let what = if run["kind"] == "retry_failed" { "deliveries" } else { "dead letters" };
    let mut progress = Progress::new(streams.colour, what);
    let last = tokio::select! {
        last = until_it_ends(client, run, &mut progress, connection, streams) => Some(last),
        _ = tokio::signal::ctrl_c() => None,
    };
    if !connection.json {
        progress.end(streams.out)?;
    }
    let Some(last) = last else {
        // Not among what a program reads: it is no answer of the API.
        let look = format!("`posthaste runs get {id}` shows how far it is, `posthaste runs cancel {id}` ends it");
        writeln!(streams.err, "stopped looking. The run goes on: {look}")?;
        return Ok(());
    };
    let (last, text) = last?;
    ended(&last, &text, what, connection, streams)
}

async fn until_it_ends(
    client: &Client,
    mut run: Value,
    progress: &mut Progress,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(Value, String), CliError> {
    let id = shown(&run["id"]);
    let (mut text, mut failures) = (String::new(), 0);
    loop {
        if !connection.json {
            let looked_at = run["done"].as_u64().unwrap_or_default() + run["refused"].as_u64().unwrap_or_default();
            progress.show(streams.out, looked_at, run["total"].as_u64())?;
        }
        if run["status"] != "running" {
            return Ok((run, text));
        }
        tokio::time::sleep(LOOK).await;
        match client.call(Call::get(&["runs", &id])).await {
            Ok(answer) => {
                run = output::parse(&answer)?;
                (text, failures) = (answer, 0);
            }
            Err(error) => {
                failures += 1;
                if failures == PATIENCE || !error.passes() {
                    return Err(error);
                }
            }
        }
    }
}

fn ended(run: &Value, text: &str, what: &str, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    if connection.json {
        output::raw(text, streams)?;
    } else {
        let (done, refused) = (run["done"].as_u64().unwrap_or_default(), run["refused"].as_u64().unwrap_or_default());
        let verb = if what == "deliveries" { "put back" } else { "enqueued again" };
        writeln!(streams.out, "{done} {what} are {verb}")?;
        if refused > 0 && what == "deliveries" {
            writeln!(streams.out, "{refused} stay failed: their events are gone")?;
        } else if refused > 0 {
            writeln!(streams.out, "{refused} are still no events: `posthaste dead-letters list` shows them with their reasons")?;
        }
    }
    match run["status"].as_str() {
        Some("done") => Ok(()),
        Some("cancelled") => Err(CliError::Failed("the run was cancelled before it was done".into())),
        _ => Err(CliError::Failed(format!("the run ended before it was done: {}", shown(&run["error"])))),
    }
}
