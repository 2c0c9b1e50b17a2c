//! The command line's client calls: everything here goes over the API, but for the receiver to try it with.

mod checks;
mod client;
mod dead_letters;
mod deliveries;
mod endpoints;
mod events;
mod input;
mod listen;
mod output;
mod progress;
mod ready;
mod runs;
mod stats;
mod table;
mod tail;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::model::problem::Problem;

/// Calls of the API, and a receiver.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Enqueue events, see what was accepted and what became of it
    Events {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: events::EventsCommand,
    },
    /// Register and look after endpoints
    Endpoints {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: endpoints::EndpointsCommand,
    },
    /// See what became of deliveries, and put failed ones back
    Deliveries {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: deliveries::DeliveriesCommand,
    },
    /// See what could not be processed, enqueue it again, or drop it
    DeadLetters {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: dead_letters::DeadLettersCommand,
    },
    /// See how bulk work in the background goes, or end it
    Runs {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: runs::RunsCommand,
    },
    /// Ask a process, of whatever role, whether it can do its work; ends with 1 when it cannot, and names the part
    Ready {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show totals over the last hours
    Stats {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        command: stats::StatsArgs,
    },
    /// Run a receiver to try things with: it prints each request that it gets
    Listen(listen::ListenArgs),
}

/// Where the API is, and how to answer.
#[derive(Debug, Args)]
pub struct Connection {
    /// Where Posthaste's API listens
    #[arg(long, env = "POSTHASTE_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8000", global = true)]
    pub server: String,
    /// One of http.tokens
    #[arg(long, env = "POSTHASTE_TOKEN", hide_env_values = true, global = true)]
    pub token: Option<String>,
    /// Print the API's own JSON instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

/// Where answers and errors go.
pub struct Streams<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    /// Whether `out` is a terminal, and takes colours.
    pub colour: bool,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    WrongUsage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::WrongUsage => 2,
        })
    }
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// What was typed, or a file that it names, is wrong: nothing was sent.
    #[error("{0}")]
    Usage(String),
    #[error(
        "cannot reach {server} ({reason})\nis posthaste running? start it with `posthaste dev` or `posthaste serve`, or name another with --server"
    )]
    Unreachable { server: String, reason: String },
    /// The API answered with a problem.
    #[error("{detail}")]
    Refused { status: reqwest::StatusCode, detail: String, errors: Vec<Problem> },
    /// There was no answer of the API.
    #[error("{0}")]
    Away(String),
    #[error("{0}")]
    Failed(String),
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// Whether the same call may be answered later.
    fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Away(_) => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Usage(_) | Self::Failed(_) | Self::Output(_) => false,
        }
    }
}

/// Runs one command: what it answers goes to `streams.out`, why it failed to `streams.err`.
pub async fn run(command: ClientCommand, streams: &mut Streams<'_>) -> Exit {
    let done = match command {
        ClientCommand::Events { connection, command } => events::run(&connection, command, streams).await,
        ClientCommand::Endpoints { connection, command } => endpoints::run(&connection, command, streams).await,
        ClientCommand::Deliveries { connection, command } => deliveries::run(&connection, command, streams).await,
        ClientCommand::DeadLetters { connection, command } => dead_letters::run(&connection, command, streams).await,
        ClientCommand::Runs { connection, command } => runs::run(&connection, command, streams).await,
        ClientCommand::Ready { connection } => ready::run(&connection, streams).await,
        ClientCommand::Stats { connection, command } => stats::run(&connection, command, streams).await,
        ClientCommand::Listen(args) => listen::run(args, streams).await,
    };
    match done {
        Ok(()) => Exit::Done,
        // Whoever reads, `head` for example, has seen enough.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            // With nowhere to complain to, the exit code has to do.
            let _ = report(&error, streams.err);
            if matches!(error, CliError::Usage(_)) { Exit::WrongUsage } else { Exit::Failed }
        }
    }
}

fn report(error: &CliError, err: &mut dyn Write) -> std::io::Result<()> {
    writeln!(err, "error: {}", table::plain_lines(&error.to_string()))?;
    if let CliError::Refused { errors, .. } = error {
        for problem in errors {
            writeln!(err, "  {}: {}", table::plain(&problem.field), table::plain(&problem.message))?;
        }
    }
    err.flush()
}
