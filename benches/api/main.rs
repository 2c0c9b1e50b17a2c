//! How long lists and totals take where there are millions of deliveries, over HTTP, from the program as it is shipped.
//!
//! Fills a private PostgreSQL, asks for every list, filter and total fifty times, first pages and deep ones, and prints what the
//! answers took beside the goal. It fails when one is missed.

mod asked;
#[path = "../filled"]
mod filled {
    pub(crate) mod load;
    pub(crate) mod sample;
}
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
mod measure;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use self::filled::load;
use self::harness::postgres::{Postgres, connect};
use self::harness::process::Launch;
use self::harness::redis::Redis;

/// Measures lists and totals over many deliveries
#[derive(Parser)]
struct Arguments {
    /// How many deliveries there are
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    deliveries: u32,
    /// How often each call is made
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls: u32,
    /// An empty or an already filled database to use instead of a private one; it is filled if it has no deliveries
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Only calls whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Box::pin(run(&arguments)))
}

async fn run(arguments: &Arguments) -> ExitCode {
    let redis = Redis::private().await;
    let database = match &arguments.postgres {
        Some(url) => url.clone(),
        None => Postgres::shared().await.database("template1").await,
    };
    let migrated = Launch::new(["migrate"]).set("POSTGRES_URL", &database).finish().await;
    assert_eq!(migrated.code, Some(0), "posthaste migrate: {}", migrated.stderr);
    let sql = connect(&database).await.expect("PostgreSQL runs");
    if sql.query_opt("SELECT FROM webhook_deliveries LIMIT 1", &[]).await.expect("migrated").is_none() {
        let started = Instant::now();
        load::fill(&sql, arguments.deliveries, say).await;
        say(&format!("{} deliveries loaded in {:.0} s\n", arguments.deliveries, started.elapsed().as_secs_f64()));
    }
    say(&load::sizes(&sql).await);
    let app = Launch::serve("api", &database, &redis.url(), "").start().await;
    let asked = asked::all(&sql).await;
    let mut missed = 0;
    say(&measure::head(arguments.calls));
    for one in asked.iter().filter(|one| arguments.only.as_ref().is_none_or(|only| one.name.contains(only.as_str()))) {
        let times = measure::times(&app.api(), one, arguments.calls).await;
        missed += u32::from(times.misses());
        say(&times.line(one));
    }
    say(&format!("{missed} of {} over the goal\n", asked.len()));
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// With nobody to read it, the exit code still tells.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
