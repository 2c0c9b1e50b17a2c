//! How fast deliveries go, against what the same machine does without Posthaste: a bare client that posts to the same receiver.
//!
//! Each round measures, one after the other and on the same private servers (flushing to disk as in production):
//! - raw: signed POSTs from a bare `reqwest` client, the best of three concurrencies;
//! - drain: events wait in Redis, `posthaste serve --role worker` delivers them;
//! - fan-out: the same, each event to ten endpoints;
//! - tenants: the same, 10,000 endpoints in 1,000 tenants, and each event goes to one of them;
//! - retries: deliveries that failed once are all due;
//! - door: events are accepted by HTTP, one by one and in arrays of a hundred;
//! - embedded: events go to `posthaste dev` by HTTP while it delivers;
//! - latency: single events to an idle worker;
//! - bad, unless it is measured alone in the first round only: a hundred endpoints, all healthy, and then ten of them hanging, dripping,
//!   resetting or answering 503, several times in turn. What the ninety others get is compared to what they get while all are healthy.
//!
//! And once, after all rounds:
//! - soak: the worker's memory while ten of the hundred are bad in all ways at once;
//! - backlog: a hundred thousand endpoints, a tenth of them bad, and a million deliveries that are all due;
//! - memory: that of a worker with a million events in the list, and with a hundred thousand endpoints and a million waiting retries;
//! - growth: drain with ten million deliveries in the tables and with none, and with one, two and four workers.
//!
//! Absolute figures are the machine's; what compares is the ratio to raw, and of several rounds the worst and the median. The receiver and
//! the clients are processes of their own: this program, started with another argument.

mod backlog;
mod bad;
mod cpu;
mod crowd;
mod door;
mod drain;
mod due;
mod embedded;
mod fan_out;
#[expect(dead_code, reason = "shared with the benchmark of lists, which needs more of it")]
#[path = "../filled"]
mod filled {
    pub(crate) mod load;
    pub(crate) mod sample;
}
mod goals;
mod growth;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../../tests/harness"]
mod harness {
    pub(crate) mod api;
    pub(crate) mod eventually;
    pub(crate) mod places;
    pub(crate) mod postgres;
    pub(crate) mod process;
    pub(crate) mod redis;
    pub(crate) mod server;
    pub(crate) mod watchdog;
}
mod latency;
mod manners;
mod memory;
mod once;
mod raw;
mod receipts;
mod receiver;
mod report;
mod retries;
mod sample;
mod soak;
mod stage;
mod table;
mod tenants;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use self::receipts::Receiver;
use self::report::{Report, Round};
use self::sample::Sample;
use self::stage::Stage;

/// Measures Posthaste against a bare HTTP client
#[derive(Parser)]
struct Arguments {
    /// How many deliveries each measurement makes, and how many events the door takes in
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events: u32,
    /// Among how many events the hundred endpoints of the bad receivers' rounds share
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    crowd_events: u32,
    /// For how long the worker's memory is looked at
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    soak: u64,
    /// How many deliveries are due at once for the hundred thousand endpoints
    #[arg(long, value_name = "DELIVERIES", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(300_000..=100_000_000))]
    backlog: u32,
    /// How many events, and how many retries, wait while the worker's memory is looked at
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    waiting: u32,
    /// How many deliveries are in the tables while it is measured what that costs
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    rows: u32,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Size of a request's body
    #[arg(long, default_value_t = 500)]
    body_bytes: usize,
    /// Measure this alone, and with it raw where the ratio to that counts
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// A setting of the program under test, as `WEBHOOK_WORKERS=64`
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// One JSON line for each round to standard output; what people read goes to standard error
    #[arg(long)]
    json: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    helper: Option<Helper>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Raw,
    Drain,
    FanOut,
    Tenants,
    Retries,
    Door,
    Embedded,
    Latency,
    Bad,
    Soak,
    Backlog,
    Memory,
    Growth,
}

impl Part {
    /// Whether it is measured in every round, and with the raw client for comparison.
    fn in_rounds(self) -> bool {
        !matches!(self, Self::Soak | Self::Backlog | Self::Memory | Self::Growth)
    }

    fn has_raw(self) -> bool {
        self.in_rounds() && !matches!(self, Self::Latency | Self::Bad)
    }
}

/// What this program is when it starts itself.
#[derive(Subcommand)]
enum Helper {
    #[command(hide = true)]
    Receiver,
    #[command(hide = true)]
    Raw(raw::Arguments),
    #[command(hide = true)]
    Door(door::Arguments),
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.helper {
        Some(Helper::Receiver) => receiver::run(),
        Some(Helper::Raw(arguments)) => raw::run(arguments),
        Some(Helper::Door(arguments)) => door::run(arguments),
        None => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            return runtime.block_on(Box::pin(measure(&arguments)));
        }
    }
    ExitCode::SUCCESS
}

async fn measure(arguments: &Arguments) -> ExitCode {
    let mut report = Report::new(arguments);
    let receiver = Receiver::start().await;
    let stage = match arguments.only {
        Some(Part::Raw | Part::Embedded) => None,
        _ => Some(Stage::start(&arguments.set).await),
    };
    if arguments.only.is_none_or(Part::in_rounds) {
        for number in 1..=arguments.rounds {
            report.add(one_round(number, arguments, &receiver, stage.as_ref()).await);
        }
    }
    let wanted = |part| stage.as_ref().filter(|_| arguments.only.is_none_or(|only| only == part));
    if let Some(stage) = wanted(Part::Soak) {
        report.soaked(&soak::measure(&receiver, stage, Duration::from_secs(arguments.soak), arguments.body_bytes).await);
    }
    if let Some(stage) = wanted(Part::Backlog) {
        report.worked_off(&backlog::measure(&receiver, stage, arguments.backlog).await);
    }
    if let Some(stage) = wanted(Part::Memory) {
        report.held(&memory::measure(&receiver, stage, arguments.waiting, arguments.body_bytes).await);
    }
    if let Some(stage) = wanted(Part::Growth) {
        let sample = |name: &str| Sample::new(name, arguments.events, arguments.body_bytes);
        report.grew(&growth::measure(&receiver, stage, arguments.rows, sample, progress).await);
    }
    report.close()
}

/// What takes long says how far it is. With nobody to read it, there is nothing to do about that.
fn progress(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

async fn one_round(number: u32, arguments: &Arguments, receiver: &Receiver, stage: Option<&Stage>) -> Round {
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let sample = |name: &str| Sample::new(&format!("{name}-{number}"), arguments.events, arguments.body_bytes);
    let mut round = Round::new(number);
    if arguments.only.is_none_or(Part::has_raw) {
        round.raw = raw::measure(receiver, arguments, number).await;
    }
    let on_stage = |part| stage.filter(|_| wanted(part));
    if let Some(stage) = on_stage(Part::Drain) {
        round.drain = Some(drain::measure(receiver, stage, &sample("drain")).await);
    }
    if let Some(stage) = on_stage(Part::FanOut) {
        round.fan_out = Some(fan_out::measure(receiver, stage, &sample("fan-out")).await);
    }
    if let Some(stage) = on_stage(Part::Tenants) {
        round.tenants = Some(tenants::measure(receiver, stage, &sample("tenants")).await);
    }
    if let Some(stage) = on_stage(Part::Retries) {
        round.retries = Some(retries::measure(receiver, stage, &sample("retries")).await);
    }
    if let Some(stage) = on_stage(Part::Door) {
        round.door = Some(door::measure(receiver, stage, sample, arguments.body_bytes).await);
    }
    if wanted(Part::Embedded) {
        round.embedded = Some(embedded::measure(receiver, &arguments.set, &sample("embedded")).await);
    }
    if let Some(stage) = on_stage(Part::Latency) {
        round.latency = Some(latency::measure(receiver, stage, number, arguments.body_bytes).await);
    }
    // It takes turns of its own, and minutes.
    if let Some(stage) = on_stage(Part::Bad).filter(|_| number == 1 || arguments.only.is_some()) {
        round.bad = Some(bad::measure(receiver, stage, number, arguments.crowd_events, arguments.body_bytes).await);
    }
    round
}
