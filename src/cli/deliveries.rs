//! `posthaste deliveries …`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::client::{Call, Client};
use super::output::{self, Columns, shown};
use super::table::Table;
use super::tail::{self, Followed};
use super::{CliError, Connection, Streams};

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first
    List(ListArgs),
    /// Show deliveries as they come and as they end, until Ctrl-C; newest at the bottom
    Tail(TailArgs),
    /// Show one delivery with its attempts
    Get {
        /// The delivery's id
        id: String,
    },
    /// Put a failed delivery back: it is sent again now, with the next attempt number
    Retry {
        /// The delivery's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Of this endpoint
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    endpoint: Option<i64>,
    /// Of this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Of events of this type
    #[arg(long = "type", value_name = "EVENT_TYPE")]
    event_type: Option<String>,
    /// pending, retrying, delivered or failed
    #[arg(long)]
    status: Option<String>,
    /// Created at this time or later, such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Created before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// At most so many, up to 500
    #[arg(long)]
    limit: Option<u32>,
    /// Where the list goes on, as an earlier answer said
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
pub struct TailArgs {
    /// Of this endpoint
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    endpoint: Option<i64>,
    /// Of this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Of events of this type
    #[arg(long = "type", value_name = "EVENT_TYPE")]
    event_type: Option<String>,
    /// Only as they come into this status
    #[arg(long, value_parser = ["pending", "retrying", "delivered", "failed"])]
    status: Option<String>,
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    begin: tail::BeginArgs,
}

const COLUMNS: Columns =
    Columns { header: &["ID", "EVENT", "TYPE", "ENDPOINT", "STATUS", "ATTEMPTS", "ANSWER", "TIME", "CREATED", "ERROR"], cells };

fn cells(item: &Value) -> Vec<String> {
    vec![
        shown(&item["id"]),
        shown(&item["event_id"]),
        shown(&item["event_type"]),
        format!("{} ({})", shown(&item["endpoint_name"]), shown(&item["endpoint_id"])),
        shown(&item["status"]),
        shown(&item["attempt_count"]),
        shown(&item["response_status"]),
        output::seconds(&item["response_time"]),
        output::time(&item["created_at"]),
        shown(&item["error_message"]),
    ]
}

/// One delivery, with a table of its attempts.
fn show(answer: &str, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    if connection.json {
        return output::raw(answer, streams);
    }
    output::fields(answer, |name| name != "attempts", streams)?;
    let delivery: Value = output::parse(answer)?;
    let attempts = delivery["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    if attempts.is_empty() {
        writeln!(streams.out, "\nno attempt was made")?;
        return Ok(());
    }
    let mut table = Table::new(&["ATTEMPT", "AT", "ANSWER", "TIME", "ERROR", "BODY"]);
    for attempt in attempts {
        table.row(&[
            shown(&attempt["number"]),
            output::time(&attempt["at"]),
            shown(&attempt["response_status"]),
            output::seconds(&attempt["response_time"]),
            shown(&attempt["error_message"]),
            attempt["response_body"].as_str().filter(|body| !body.is_empty()).unwrap_or("-").to_owned(),
        ]);
    }
    writeln!(streams.out)?;
    table.write(streams.out, streams.colour)?;
    Ok(())
}

pub(super) async fn run(connection: &Connection, command: DeliveriesCommand, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    match command {
        DeliveriesCommand::List(args) => {
            let call = Call::get(&["deliveries"])
                .and("endpoint_id", args.endpoint)
                .and("event_id", args.event)
                .and("event_type", args.event_type)
                .and("status", args.status)
                .and("since", args.since)
                .and("until", args.until)
                .and("tenant", args.tenant)
                .and("limit", args.limit)
                .and("cursor", args.cursor);
            output::list(&client.call(call).await?, &COLUMNS, connection, streams)
        }
        DeliveriesCommand::Tail(args) => {
            let call = Call::get(&["deliveries"])
                .and("endpoint_id", args.endpoint)
                .and("event_id", args.event)
                .and("event_type", args.event_type)
                .and("tenant", args.tenant);
            let followed = Followed { list: "deliveries", query: call.query, status: args.status, columns: &COLUMNS };
            tail::follow(&client, &followed, &args.begin, connection, streams).await
        }
        DeliveriesCommand::Get { id } => {
            let answer = client.call(Call::get(&["deliveries", &id])).await?;
            show(&answer, connection, streams)
        }
        DeliveriesCommand::Retry { id } => {
            let path = ["deliveries", &id, "retry"];
            let answer = client.call(Call { method: Method::POST, ..Call::get(&path) }).await?;
            output::object(&answer, connection, streams)
        }
    }
}
