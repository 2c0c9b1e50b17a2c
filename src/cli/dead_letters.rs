//! `posthaste dead-letters …`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::output::{self, Columns, shown};
use super::{CliError, Connection, Streams, runs, table};

#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List dead letters, newest first, each with its reason
    List {
        /// At most so many, up to 500
        #[arg(long)]
        limit: Option<u32>,
        /// Where the list goes on, as an earlier answer said
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Enqueue dead letters again: those that are events now are sent, and the others stay
    Requeue {
        #[command(flatten)]
        which: Which,
        /// Where there are many, do not wait until all are done
        #[arg(long)]
        no_wait: bool,
    },
    /// Remove dead letters for good
    Drop {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Ids, as the list shows them
    ids: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

const COLUMNS: Columns = Columns { header: &["ID", "AT", "SIZE", "REASON", "ENTRY"], cells };

fn cells(item: &Value) -> Vec<String> {
    vec![shown(&item["id"]), output::time(&item["at"]), shown(&item["size"]), shown(&item["reason"]), shown(&item["entry"])]
}

pub(super) async fn run(connection: &Connection, command: DeadLettersCommand, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    match command {
        DeadLettersCommand::List { limit, cursor } => {
            let answer = client.call(Call::get(&["dead-letters"]).and("limit", limit).and("cursor", cursor)).await?;
            output::list(&answer, &COLUMNS, connection, streams)?;
            if !connection.json {
                let total = output::parse::<Value>(&answer)?["total"].as_u64().unwrap_or_default();
                writeln!(streams.out, "{}", counted(total, "in all"))?;
            }
            Ok(())
        }
        DeadLettersCommand::Requeue { which, no_wait } => requeue(&client, which, !no_wait, connection, streams).await,
        DeadLettersCommand::Drop { which } => {
            let mut call = Call { method: Method::DELETE, ..Call::get(&["dead-letters"]) };
            call.query = which.ids.into_iter().map(|id| ("id", id)).collect();
            let answer = client.call(call).await?;
            if connection.json {
                return output::raw(&answer, streams);
            }
            let dropped = output::parse::<Value>(&answer)?["dropped"].as_u64().unwrap_or_default();
            writeln!(streams.out, "{}", counted(dropped, "dropped"))?;
            Ok(())
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 dead letter {what}") } else { format!("{count} dead letters {what}") }
}

async fn requeue(client: &Client, which: Which, wait: bool, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let body = if which.all { json!({}) } else { json!({"ids": which.ids}) };
    let answer = client.call(Call::with_body(Method::POST, &["dead-letters", "requeue"], body.to_string())).await?;
    if runs::started(&answer).is_some() {
        return runs::follow(client, &answer, wait, connection, streams).await;
    }
    if connection.json {
        return output::raw(&answer, streams);
    }
    let answer: Value = output::parse(&answer)?;
    writeln!(streams.out, "{}", counted(answer["requeued"].as_u64().unwrap_or_default(), "enqueued again"))?;
    let refused = answer["refused"].as_array().map_or(&[][..], Vec::as_slice);
    for one in refused {
        writeln!(streams.out, "{} stays: {}", table::plain(&shown(&one["id"])), table::plain(&shown(&one["reason"])))?;
    }
    Ok(())
}
