//! Flags, settings, logging, run; exit codes: 0 done, 1 failed, 2 wrong usage, 64 bad configuration.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::{Generator as _, Shell};
use posthaste::config::{self, Layers, LogFormat, Mode, Role, Settings};
use posthaste::{app, cli, faults, telemetry};

// Nearly everything is allocated in one thread and freed in another, in pieces of all sizes: the system's allocator takes a fifth of the
// worker's time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
/// What to try first.
const TRY: &str = "\
Try it, without any services:
  posthaste dev --demo        some events, and what happens to them; or

  posthaste dev               and, in other terminals,
  posthaste listen --port 9000
  posthaste endpoints create --name mine --url http://127.0.0.1:9000/ --event-types '*'
  posthaste events send --type order.created --data '{\"order\": 1001}'
  posthaste deliveries list";

/// Posthaste delivers webhooks: events in, signed POSTs out, recorded and retried.
#[derive(Parser)]
#[command(version, about, long_about = None, arg_required_else_help = true, after_help = TRY)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from, besides the environment.
#[derive(Args)]
struct File {
    /// A TOML file with settings; `posthaste config` shows what is in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl File {
    fn layers(self) -> Layers {
        Layers::of_process(self.config)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process on one SQLite file, without any services
    Dev {
        /// Also start a receiver, register endpoints on it, send some events and show what happens
        #[arg(long)]
        demo: bool,
        #[command(flatten)]
        file: File,
    },
    /// Run on PostgreSQL and Redis (POSTGRES_URL, REDIS_URL)
    Serve {
        /// What this process does
        #[arg(long, value_enum, default_value = "all")]
        role: RoleArgument,
        #[command(flatten)]
        file: File,
    },
    /// Make the tables in PostgreSQL or bring them up to date; `serve` does so too when it starts
    Migrate {
        #[command(flatten)]
        file: File,
    },
    /// Look after the secrets of endpoints as they lie in the database
    Secrets {
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// Print the settings in force, secrets hidden
    Config {
        /// As `dev` would have them
        #[arg(long)]
        dev: bool,
        #[command(flatten)]
        file: File,
    },
    /// Print a script that completes commands and options in your shell
    ///
    /// For the shell that runs: `source <(posthaste completions bash)`. For every one to come, write it where your shell looks for such
    /// scripts, as `posthaste completions bash > ~/.local/share/bash-completion/completions/posthaste`,
    /// `posthaste completions zsh > "${fpath[1]}/_posthaste"` or `posthaste completions fish > ~/.config/fish/completions/posthaste.fish`.
    Completions {
        /// Which shell
        shell: Shell,
    },
    #[command(flatten)]
    Client(Box<cli::ClientCommand>),
}

#[derive(Subcommand)]
enum SecretsCommand {
    /// Encrypt the secrets of all endpoints with the first key of security.master_key, after one was set or changed
    ///
    /// Works on the database itself, page by page, while workers run; stopped half-way, it is just begun again.
    Encrypt {
        /// Those in the file of `dev`, which must not run meanwhile
        #[arg(long)]
        dev: bool,
        #[command(flatten)]
        file: File,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    All,
    Api,
    Worker,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::All => Self::All,
            RoleArgument::Api => Self::Api,
            RoleArgument::Worker => Self::Worker,
        }
    }
}

const FAILED: u8 = 1;
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let _faults = faults::setup();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(FAILED, &format!("the runtime cannot start: {error}")),
    };
    let code = runtime.block_on(run(arguments));
    // Blocking work that nobody waits for must not keep the process alive.
    runtime.shutdown_background();
    code
}

async fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Client(command) => {
            let colour = std::io::stdout().is_terminal();
            cli::run(*command, &mut cli::Streams { out: &mut std::io::stdout(), err: &mut std::io::stderr(), colour }).await.into()
        }
        Command::Completions { shell } => print_completions(shell),
        Command::Config { dev, file } => print_config(if dev { Mode::Embedded } else { Mode::Look }, &file.layers()),
        Command::Dev { demo, file } => {
            let log = if demo { Some("warn") } else { None };
            start(Mode::Embedded, &file.layers(), log, |settings| app::dev(settings, demo, Box::new(std::io::stdout()))).await
        }
        Command::Serve { role, file } => {
            let role = Role::from(role);
            start(Mode::Serve(role), &file.layers(), None, |settings| app::serve(role, settings)).await
        }
        Command::Secrets { command: SecretsCommand::Encrypt { dev, file } } => {
            let mode = if dev { Mode::Embedded } else { Mode::Migrate };
            start(mode, &file.layers(), None, |settings| app::encrypt_secrets(settings, dev)).await
        }
        Command::Migrate { file } => start(Mode::Migrate, &file.layers(), None, async |settings| app::migrate(&settings).await).await,
    }
}

async fn start<F>(mode: Mode, layers: &Layers, log: Option<&str>, work: impl FnOnce(Settings) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = match config::load(mode, layers) {
        Ok(settings) => settings,
        Err(problems) => return complain(BAD_CONFIGURATION, &problems.to_string()),
    };
    let level = log.unwrap_or(&settings.log.level);
    if let Err(error) = telemetry::logging::init(settings.log.format == LogFormat::Json, level) {
        return complain(BAD_CONFIGURATION, &format!("the configuration has 1 problem(s):\n  log.level: {error}"));
    }
    match work(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(FAILED, &told(&error)),
    }
}

fn print_completions(shell: Shell) -> ExitCode {
    let mut command = Arguments::command().bin_name("posthaste");
    command.build();
    // Into memory first: it panics where it cannot write.
    let mut script = Vec::new();
    shell.generate(&command, &mut script);
    match std::io::stdout().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => complain(FAILED, &format!("cannot write the script: {error}")),
        _ => ExitCode::SUCCESS,
    }
}

fn print_config(mode: Mode, layers: &Layers) -> ExitCode {
    let printed = match config::effective(mode, layers) {
        Ok(text) => writeln!(std::io::stdout(), "{text}"),
        Err(problems) => return complain(BAD_CONFIGURATION, &problems.to_string()),
    };
    match (printed, config::load(mode, layers)) {
        (_, Err(problems)) => complain(BAD_CONFIGURATION, &problems.to_string()),
        (Ok(()), Ok(_)) => ExitCode::SUCCESS,
        (Err(_), Ok(_)) => ExitCode::from(FAILED),
    }
}

/// An error with its causes, but for those that the text before them holds already.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

fn complain(code: u8, text: &str) -> ExitCode {
    let mut out = std::io::stderr();
    let name = if out.is_terminal() { "\u{1b}[1;31mposthaste\u{1b}[0m" } else { "posthaste" };
    // There is nowhere left to say that nothing can be said.
    let _ = writeln!(out, "{name}: {text}");
    ExitCode::from(code)
}
