//! `posthaste ready`.

use std::time::Duration;

use super::client::Client;
use super::{CliError, Connection, Streams, output};

/// The process itself gives each part two seconds.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let answer = Client::new(connection)?.probe("ready", PATIENCE).await?;
    output::object(&answer, connection, streams)
}
