//! `posthaste stats`.

use clap::Args;

use super::client::{Call, Client};
use super::{CliError, Connection, Streams, output};

#[derive(Debug, Args)]
pub struct StatsArgs {
    /// How far back to look
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Look at one tenant alone
    #[arg(long)]
    tenant: Option<String>,
}

pub(super) async fn run(connection: &Connection, args: StatsArgs, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    let answer = client.call(Call::get(&["stats"]).and("hours", Some(args.hours)).and("tenant", args.tenant)).await?;
    output::object(&answer, connection, streams)
}
