//! `posthaste events tail` and `posthaste deliveries tail`: what comes, as it comes.
//!
//! Once a second the list is looked at, from a little before the last look on; every ten seconds from further back, for what became
//! visible late: an id or a time is given before the commit that makes the row visible, and a transaction of SQL may take its time.
//! Deliveries that wait for another attempt are looked at by themselves when it is due. What was shown is remembered.

mod look;
mod seen;

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::output::{self, Columns};
use super::table::{Growing, plain};
use super::{CliError, Connection, Streams};
use crate::model::json;
use look::{Item, Looker};

/// How often the list is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct BeginArgs {
    /// Begin with so many of the latest
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=500))]
    lines: u32,
}

/// What is followed.
pub(super) struct Followed {
    /// Which list: `events` or `deliveries`.
    pub(super) list: &'static str,
    pub(super) query: Vec<(&'static str, String)>,
    /// Only what is in this status. The list is not asked for it: what came in another one may come into this one later.
    pub(super) status: Option<String>,
    pub(super) columns: &'static Columns,
}

/// Shows what comes, until Ctrl-C.
pub(super) async fn follow(
    client: &Client,
    followed: &Followed,
    begin: &BeginArgs,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    tokio::select! {
        ended = watch(Looker::new(client, followed), begin.lines, followed.columns, connection, streams) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn watch(
    mut looker: Looker<'_>,
    lines: u32,
    columns: &Columns,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let mut table = Growing::new(columns.header);
    show(&looker.begin(lines).await?, columns, &mut table, connection, streams)?;
    let mut away = false;
    loop {
        tokio::time::sleep(INTERVAL).await;
        match looker.look().await {
            Ok(news) => {
                if std::mem::take(&mut away) {
                    writeln!(streams.err, "it is back")?;
                }
                show(&news.items, columns, &mut table, connection, streams)?;
                if news.cut {
                    let list = "more came at once than is shown here: the list has what was left out, and a filter makes it less";
                    writeln!(streams.err, "{list}")?;
                }
            }
            Err(error) if error.passes() => {
                if !std::mem::replace(&mut away, true) {
                    let said = error.to_string();
                    writeln!(streams.err, "{}: waiting until it is back", plain(said.lines().next().unwrap_or_default()))?;
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn show(
    items: &[Item],
    columns: &Columns,
    table: &mut Growing,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    if items.is_empty() {
        return Ok(());
    }
    if connection.json {
        for item in items {
            writeln!(streams.out, "{}", json::compact(item.raw.get()))?;
        }
    } else {
        let rows = items.iter().map(|item| Ok((columns.cells)(&output::parse::<Value>(item.raw.get())?)));
        table.write(streams.out, &rows.collect::<Result<Vec<_>, CliError>>()?, streams.colour)?;
    }
    Ok(streams.out.flush()?)
}
