//! `posthaste events list`, `get` and `tail`: what was accepted, and what became of it.

use std::collections::HashMap;

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::client::{Call, Client};
use crate::cli::output::{self, Columns, shown};
use crate::cli::table::{Table, plain};
use crate::cli::tail::{self, Followed};
use crate::cli::{CliError, Connection, Streams};

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filters: Filters,
    /// Accepted at this time or later, such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Accepted before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many, up to 500
    #[arg(long)]
    limit: Option<u32>,
    /// Where the list goes on, as an earlier answer said
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
struct Filters {
    /// Of this type
    #[arg(long = "type", value_name = "EVENT_TYPE")]
    event_type: Option<String>,
    /// From there, as it was enqueued with
    #[arg(long)]
    source: Option<String>,
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    /// The event's id
    id: String,
    /// Whose event; left out, that of the tenant `default`, or of the token
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct TailArgs {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    begin: tail::BeginArgs,
}

const COLUMNS: Columns = Columns { header: &["ID", "TENANT", "TYPE", "SOURCE", "STATE", "ACCEPTED", "REASON"], cells };

fn cells(item: &Value) -> Vec<String> {
    vec![
        shown(&item["id"]),
        shown(&item["tenant"]),
        shown(&item["event_type"]),
        item["source"].as_str().filter(|source| !source.is_empty()).unwrap_or("-").to_owned(),
        state(item).to_owned(),
        output::time(&item["created_at"]),
        shown(&item["set_aside"]),
    ]
}

fn state(event: &Value) -> &'static str {
    match (&event["routed_at"], &event["set_aside"]) {
        (Value::String(_), _) => "routed",
        (_, Value::String(_)) => "set aside",
        _ => "accepted",
    }
}

fn filtered(filters: Filters) -> Call<'static> {
    Call::get(&["events"]).and("event_type", filters.event_type).and("source", filters.source).and("tenant", filters.tenant)
}

pub(super) async fn list(client: &Client, args: ListArgs, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let call = filtered(args.filters).and("since", args.since).and("until", args.until).and("limit", args.limit).and("cursor", args.cursor);
    output::list(&client.call(call).await?, &COLUMNS, connection, streams)
}

pub(super) async fn tail(client: &Client, args: TailArgs, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let followed = Followed { list: "events", query: filtered(args.filters).query, status: None, columns: &COLUMNS };
    tail::follow(client, &followed, &args.begin, connection, streams).await
}

pub(super) async fn get(client: &Client, args: &GetArgs, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let answer = client.call(Call::get(&["events", &args.id]).and("tenant", args.tenant.as_ref())).await?;
    if connection.json {
        return output::raw(&answer, streams);
    }
    let event: Value = output::parse(&answer)?;
    let spelled: HashMap<&str, &RawValue> = output::parse(&answer)?;
    let deliveries = event["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
    output::fields(&answer, |name| !matches!(name, "data" | "deliveries" | "next_cursor"), streams)?;
    let too_large = "not shown: it is larger than limits.max_event_bytes of the server";
    writeln!(streams.out, "data        {}", spelled.get("data").map_or_else(|| too_large.into(), |data| plain(data.get())))?;
    writeln!(streams.out, "\n{}", said_of(&event, deliveries.len()))?;
    if !deliveries.is_empty() {
        let mut table = Table::new(&["DELIVERY", "ENDPOINT", "STATUS", "ATTEMPTS", "ANSWER", "TIME", "ERROR"]);
        deliveries.iter().for_each(|delivery| table.row(&delivery_cells(delivery)));
        table.write(streams.out, streams.colour)?;
    }
    if let Some(cursor) = event["next_cursor"].as_str() {
        let tenant = shown(&event["tenant"]);
        let list = format!("posthaste deliveries list --event '{}' --tenant {tenant} --cursor {}", plain(&args.id), plain(cursor));
        writeln!(streams.out, "\nthere are more: {list}")?;
    }
    Ok(())
}

fn said_of(event: &Value, deliveries: usize) -> String {
    match (state(event), deliveries) {
        ("routed", 0) => "no endpoint wanted it when it was routed, or its deliveries are removed already".into(),
        ("set aside", _) => "it is a dead letter: `posthaste dead-letters list` shows it, `dead-letters requeue` sends it again".into(),
        (_, 0) => "it waits to be routed: a worker does that".into(),
        (_, 1) => "1 delivery".into(),
        (_, many) => format!("{many} deliveries"),
    }
}

fn delivery_cells(item: &Value) -> Vec<String> {
    vec![
        shown(&item["id"]),
        format!("{} ({})", shown(&item["endpoint_name"]), shown(&item["endpoint_id"])),
        shown(&item["status"]),
        shown(&item["attempt_count"]),
        shown(&item["response_status"]),
        output::seconds(&item["response_time"]),
        shown(&item["error_message"]),
    ]
}
