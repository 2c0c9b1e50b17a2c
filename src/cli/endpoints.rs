//! `posthaste endpoints …`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{Call, Client};
use super::output::{self, Columns, shown};
use super::{CliError, Connection, Streams, checks, input, runs};

#[derive(Debug, Subcommand)]
pub enum EndpointsCommand {
    /// List endpoints, newest first, with their last 24 hours
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
    /// Register an endpoint; its secret is shown this once
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// Where requests go
        #[arg(long)]
        url: String,
        /// Event types, separated by commas: `order.created`, `order.*` or `*`
        #[arg(long, value_name = "TYPES", required = true, value_delimiter = ',')]
        event_types: Vec<String>,
        /// The tenant it belongs to
        #[arg(long)]
        tenant: Option<String>,
        /// Its signing secret, `@file` or `-` for standard input; left out, one is made
        #[arg(long)]
        secret: Option<String>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Show one endpoint
    Get {
        /// The endpoint's id
        id: i64,
    },
    /// Change what is named, and leave the rest
    Update {
        /// The endpoint's id
        id: i64,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Where requests go
        #[arg(long)]
        url: Option<String>,
        /// Event types, separated by commas, instead of those it has
        #[arg(long, value_name = "TYPES", value_delimiter = ',')]
        event_types: Option<Vec<String>>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Remove an endpoint; its deliveries stay listed
    Delete {
        /// The endpoint's id
        id: i64,
    },
    /// Replace its secret; the new one is shown this once, and the one before goes on to sign for a while
    RotateSecret {
        /// The endpoint's id
        id: i64,
        /// For how many seconds; 0 ends all earlier secrets now, and a day is the default
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<f64>,
        /// The new secret, `@file` or `-` for standard input; left out, one is made
        #[arg(long)]
        secret: Option<String>,
    },
    /// Send a signed test event now, and show what the receiver did
    Test {
        /// The endpoint's id
        id: i64,
        /// The event as JSON, `@file` or `-` for standard input, instead of one that is made
        #[arg(long, value_name = "JSON")]
        event: Option<String>,
    },
    /// Look at what an engineer would look at: name, address, TLS, answers, latest deliveries, backlog
    Diagnose {
        /// The endpoint's id
        id: i64,
    },
    /// Put its failed deliveries back, oldest first: they are sent again now, with their next attempt numbers
    RetryFailed {
        /// The endpoint's id
        id: i64,
        /// Created at this time or later, such as 2026-01-02T03:04:05Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Created before this time
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Where there are many, do not wait until all are put back
        #[arg(long)]
        no_wait: bool,
    },
}

/// What may be chosen when an endpoint is registered, and changed later.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// A header of its own, `Name: value`; may be given several times, and all together replace those it has
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Seconds for a whole request
    #[arg(long)]
    timeout: Option<f64>,
    /// How many attempts a delivery has
    #[arg(long)]
    max_retries: Option<u32>,
    /// Seconds before the second attempt; doubled for each further one
    #[arg(long)]
    retry_delay: Option<f64>,
    /// Seconds before each further attempt, separated by commas; or `standard`, or `none`
    #[arg(long, value_name = "SECONDS")]
    retry_schedule: Option<String>,
    /// So many requests in so many seconds, `100/60`; or `none`
    #[arg(long, value_name = "REQUESTS/SECONDS")]
    rate_limit: Option<String>,
    /// How many requests may run at once; or `none` for the default
    #[arg(long)]
    in_flight: Option<String>,
    /// Whether it gets events
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
}

impl SettingsArgs {
    fn put_into(self, body: &mut Map<String, Value>) -> Result<(), CliError> {
        if !self.headers.is_empty() {
            let headers: Result<Map<_, _>, _> = self.headers.iter().map(|header| header_of(header)).collect();
            body.insert("headers".into(), Value::Object(headers?));
        }
        put(body, "timeout", self.timeout);
        put(body, "max_retries", self.max_retries);
        put(body, "retry_delay", self.retry_delay);
        put(body, "retry_schedule", self.retry_schedule.as_deref().map(schedule).transpose()?);
        put(body, "rate_limit", self.rate_limit.as_deref().map(rate_limit).transpose()?);
        put(body, "in_flight", self.in_flight.as_deref().map(in_flight).transpose()?);
        put(body, "is_active", self.active);
        Ok(())
    }
}

fn put(body: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

fn header_of(text: &str) -> Result<(String, Value), CliError> {
    let (name, value) = text.split_once(':').ok_or_else(|| CliError::Usage(format!("--header {text}: must be `Name: value`")))?;
    Ok((name.trim().to_owned(), Value::from(value.trim())))
}

fn schedule(text: &str) -> Result<Value, CliError> {
    match text {
        "none" => Ok(Value::Null),
        "standard" => Ok(Value::from("standard")),
        list => {
            let seconds: Result<Vec<f64>, _> = list.split(',').map(|item| item.trim().parse()).collect();
            let right = "must be seconds separated by commas, `standard` or `none`";
            seconds.map(Value::from).map_err(|_not_a_number| CliError::Usage(format!("--retry-schedule {text}: {right}")))
        }
    }
}

fn rate_limit(text: &str) -> Result<Value, CliError> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let parts = text.split_once('/').and_then(|(requests, seconds)| Some((requests.parse::<u32>().ok()?, seconds.parse::<f64>().ok()?)));
    let (max_requests, window) = parts.ok_or_else(|| CliError::Usage(format!("--rate-limit {text}: must be such as 100/60, or `none`")))?;
    Ok(json!({"max_requests": max_requests, "window": window}))
}

fn in_flight(text: &str) -> Result<Value, CliError> {
    match text {
        "none" => Ok(Value::Null),
        number => {
            let number: Result<u32, _> = number.parse();
            number.map(Value::from).map_err(|_not_a_number| CliError::Usage(format!("--in-flight {text}: must be a number, or `none`")))
        }
    }
}

const COLUMNS: Columns = Columns { header: &["ID", "TENANT", "NAME", "STATE", "DELIVERIES 24H", "SUCCESS", "EVENT TYPES", "URL"], cells };

fn cells(item: &Value) -> Vec<String> {
    vec![
        shown(&item["id"]),
        shown(&item["tenant"]),
        shown(&item["name"]),
        if item["is_active"] == true { "active" } else { "inactive" }.into(),
        format!("{} of {}", shown(&item["successful_deliveries_24h"]), shown(&item["total_deliveries_24h"])),
        item["success_rate_24h"].as_f64().map_or_else(|| "-".into(), |rate| format!("{rate:.1} %")),
        shown(&item["event_types"]),
        shown(&item["url"]),
    ]
}

pub(super) async fn run(connection: &Connection, command: EndpointsCommand, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    match command {
        EndpointsCommand::List { tenant, limit, cursor } => {
            let call = Call::get(&["endpoints"]).and("tenant", tenant).and("limit", limit).and("cursor", cursor);
            output::list(&client.call(call).await?, &COLUMNS, connection, streams)
        }
        EndpointsCommand::Create { name, url, event_types, tenant, secret, settings } => {
            let mut body = Map::new();
            put(&mut body, "name", Some(name));
            put(&mut body, "url", Some(url));
            put(&mut body, "event_types", Some(event_types));
            put(&mut body, "tenant", tenant);
            let secret = secret.map(|given| input::text(&given, "--secret")).transpose()?;
            put(&mut body, "secret", secret.as_deref().map(str::trim));
            settings.put_into(&mut body)?;
            let answer = client.call(Call::with_body(Method::POST, &["endpoints"], Value::Object(body).to_string())).await?;
            output::object(&answer, connection, streams)
        }
        EndpointsCommand::Get { id } => {
            let answer = client.call(Call::get(&["endpoints", &id.to_string()])).await?;
            output::object(&answer, connection, streams)
        }
        EndpointsCommand::Update { id, name, url, event_types, settings } => {
            let mut body = Map::new();
            put(&mut body, "name", name);
            put(&mut body, "url", url);
            put(&mut body, "event_types", event_types);
            settings.put_into(&mut body)?;
            let path = ["endpoints", &id.to_string()];
            let answer = client.call(Call::with_body(Method::PATCH, &path, Value::Object(body).to_string())).await?;
            output::object(&answer, connection, streams)
        }
        EndpointsCommand::Delete { id } => {
            client.call(Call { method: Method::DELETE, ..Call::get(&["endpoints", &id.to_string()]) }).await?;
            if !connection.json {
                writeln!(streams.out, "endpoint {id} is removed")?;
            }
            Ok(())
        }
        EndpointsCommand::RotateSecret { id, overlap, secret } => rotate_secret(&client, id, overlap, secret, connection, streams).await,
        EndpointsCommand::Test { id, event } => checks::test(&client, id, event, connection, streams).await,
        EndpointsCommand::Diagnose { id } => checks::diagnose(&client, id, connection, streams).await,
        EndpointsCommand::RetryFailed { id, since, until, no_wait } => {
            let mut body = Map::new();
            put(&mut body, "since", since);
            put(&mut body, "until", until);
            retry_failed(&client, id, body, !no_wait, connection, streams).await
        }
    }
}

async fn retry_failed(
    client: &Client,
    id: i64,
    body: Map<String, Value>,
    wait: bool,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let path = ["endpoints", &id.to_string(), "retry-failed"];
    let answer = client.call(Call::with_body(Method::POST, &path, Value::Object(body).to_string())).await?;
    if runs::started(&answer).is_some() {
        return runs::follow(client, &answer, wait, connection, streams).await;
    }
    if connection.json {
        return output::raw(&answer, streams);
    }
    let count = output::parse::<Value>(&answer)?["retried"].as_u64().unwrap_or_default();
    let what = if count == 1 { "1 delivery is".to_owned() } else { format!("{count} deliveries are") };
    writeln!(streams.out, "{what} put back")?;
    Ok(())
}

async fn rotate_secret(
    client: &Client,
    id: i64,
    overlap: Option<f64>,
    secret: Option<String>,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let mut body = Map::new();
    put(&mut body, "overlap_seconds", overlap);
    let secret = secret.map(|given| input::text(&given, "--secret")).transpose()?;
    put(&mut body, "secret", secret.as_deref().map(str::trim));
    let path = ["endpoints", &id.to_string(), "rotate-secret"];
    let answer = client.call(Call::with_body(Method::POST, &path, Value::Object(body).to_string())).await?;
    output::object(&answer, connection, streams)
}
