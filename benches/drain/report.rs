//! What people read, and what programs read.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::Arguments;
use crate::cpu::Cpu;
use crate::drain::Drained;
use crate::latency::{Latency, Percentiles};
use crate::raw::Raw;

/// What one round measured.
pub(crate) struct Round {
    number: u32,
    /// The fastest first.
    pub(crate) raw: Vec<Raw>,
    pub(crate) drain: Option<Drained>,
    pub(crate) embedded: Option<Drained>,
    pub(crate) latency: Option<Latency>,
}

pub(crate) struct Report {
    events: u32,
    with_json: bool,
    rounds: Vec<Round>,
}

impl Round {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, raw: Vec::new(), drain: None, embedded: None, latency: None }
    }

    /// `of` against the fastest raw run of the same round.
    fn ratio(&self, of: f64) -> f64 {
        self.raw.first().map_or(f64::NAN, |raw| of / raw.per_second)
    }

    fn drains(&self) -> impl Iterator<Item = (&'static str, &Drained)> {
        [("drain", &self.drain), ("embedded", &self.embedded)].into_iter().filter_map(|(name, drained)| Some((name, drained.as_ref()?)))
    }

    /// What must not be.
    fn faults(&self, events: u32) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |name: &str, duplicates: usize, losses: usize| {
            if duplicates + losses > 0 {
                faults.push(format!("{name}: {duplicates} duplicates, {losses} losses"));
            }
        };
        for raw in &self.raw {
            check("raw", raw.duplicates, raw.losses);
        }
        for (name, drained) in self.drains() {
            check(name, drained.tally.duplicates, drained.tally.losses);
        }
        if let Some(latency) = &self.latency {
            check("latency", latency.tally.duplicates, latency.tally.losses);
        }
        let short = self.drains().filter(|(_, drained)| drained.rows != i64::from(events));
        faults.extend(short.map(|(name, drained)| format!("{name}: {} rows delivered of {events}", drained.rows)));
        faults
    }

    fn complaints(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let latency = self.latency.iter().map(|latency| ("latency", &latency.complaints));
        self.drains().map(|(name, drained)| (name, &drained.complaints)).chain(latency)
    }
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let report = Self { events: arguments.events, with_json: arguments.json, rounds: Vec::new() };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        report.say(&format!("{} events, bodies of about {} bytes, {cores} cores\n", arguments.events, arguments.body_bytes));
        report
    }

    pub(crate) fn add(&mut self, round: Round) {
        self.say(&format!("\nround {}\n{}", round.number, table(&round, self.events)));
        for (name, complaints) in round.complaints() {
            for complaint in complaints.iter().take(5) {
                self.say(&format!("  ! {name} logged: {complaint}\n"));
            }
            if complaints.len() > 5 {
                self.say(&format!("  ! {name} logged {} more\n", complaints.len() - 5));
            }
        }
        for fault in round.faults(self.events) {
            self.say(&format!("  ! {fault}\n"));
        }
        if self.with_json {
            writeln!(std::io::stdout(), "{}", line(&round, self.events)).expect("somebody reads it");
        }
        self.rounds.push(round);
    }

    /// The worst of all rounds; a failure if anything came twice or not at all.
    pub(crate) fn close(self) -> ExitCode {
        let of = |pick: fn(&Round) -> Option<f64>| self.rounds.iter().filter_map(pick).reduce(f64::min);
        let drain = of(|round| Some(round.ratio(round.drain.as_ref()?.per_second)));
        let embedded = of(|round| Some(round.ratio(round.embedded.as_ref()?.per_second)));
        let p99 = of(|round| Some(-round.latency.as_ref()?.worker.p99)).map(|p99| -p99);
        self.say(&format!("\nworst of {}\n", self.rounds.len()));
        if let Some(ratio) = drain {
            self.say(&format!("  drain          {ratio:8.3} of raw\n"));
        }
        if let Some(ratio) = embedded {
            self.say(&format!("  embedded       {ratio:8.3} of raw\n"));
        }
        if let Some(p99) = p99 {
            self.say(&format!("  latency p99    {p99:8.2} ms\n"));
        }
        let faults: usize = self.rounds.iter().map(|round| round.faults(self.events).len()).sum();
        self.say(if faults == 0 { "  no duplicates, no losses\n" } else { "  FAILED: see the lines with !\n" });
        if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// To people: standard output, unless that is for programs.
    fn say(&self, text: &str) {
        let written =
            if self.with_json { std::io::stderr().write_all(text.as_bytes()) } else { std::io::stdout().write_all(text.as_bytes()) };
        // With nobody to read it, the exit code still tells.
        let _ = written;
    }
}

fn table(round: &Round, events: u32) -> String {
    let mut text = format!("  {:34}{:>10}{:>9}{:>9}{:>12}{:>8}\n", "", "per second", "of raw", "rows", "duplicates", "losses");
    for raw in &round.raw {
        let name = format!("raw, {} at once", raw.concurrency);
        let ratio = round.ratio(raw.per_second);
        text += &format!("  {name:34}{:10.0}{ratio:9.3}{:>9}{:12}{:8}\n", raw.per_second, "-", raw.duplicates, raw.losses);
    }
    for (name, drained) in round.drains() {
        let Drained { sent_per_second: sent, per_second: all, rows, tally, .. } = drained;
        text += &format!("  {:34}{sent:10.0}{:9.3}\n", format!("{name}, to the last request"), round.ratio(*sent));
        let recorded = format!("{name}, until all is recorded");
        text += &format!("  {recorded:34}{all:10.0}{:9.3}{rows:9}{:12}{:8}\n", round.ratio(*all), tally.duplicates, tally.losses);
    }
    text += &costs(round, events);
    if let Some(latency) = &round.latency {
        text += &format!("  {:34}{:>10}{:>9}\n", "latency, ms", "p50", "p99");
        for (name, Percentiles { p50, p99 }) in
            [("enqueue to receipt, idle worker", latency.worker), ("bare POST to receipt", latency.bare)]
        {
            text += &format!("    {name:32}{p50:10.2}{p99:9.2}\n");
        }
    }
    text
}

fn costs(round: &Round, events: u32) -> String {
    let mut text = String::new();
    let raw = round.raw.first().map(|raw| ("raw", raw_cpu(raw)));
    for (name, cpu) in raw.into_iter().chain(round.drains().map(|(name, drained)| (name, drained.cpu.clone()))) {
        if !cpu.is_empty() {
            let parts: Vec<_> = cpu.iter().map(|(part, micros)| format!("{part} {micros:.1}")).collect();
            text += &format!("  CPU, µs per delivery: {name:10}{:7.1} = {}\n", cpu.values().sum::<f64>(), parts.join(" + "));
        }
    }
    for (name, drained) in round.drains() {
        let commits = &drained.commits;
        let reads =
            drained.redis_reads.map_or_else(String::new, |reads| format!(", {:.4} Redis reads per delivery", reads / f64::from(events)));
        text += &format!("  commits: {name:10}{:.0}, {:.1} ms on average{reads}\n", commits.count, commits.mean_ms);
    }
    text
}

fn raw_cpu(raw: &Raw) -> Cpu {
    let parts = [("client", raw.client_cpu), ("receiver", raw.receiver_cpu)];
    parts.into_iter().filter_map(|(part, micros)| Some((part, micros?))).collect()
}

fn line(round: &Round, events: u32) -> Value {
    let mut line = json!({"round": round.number, "events": events, "raw": round.raw});
    for (name, drained) in round.drains() {
        line[name] = json!({
            "sent_per_second": drained.sent_per_second,
            "per_second": drained.per_second,
            "ratio": round.ratio(drained.per_second),
            "rows": drained.rows,
            "duplicates": drained.tally.duplicates,
            "losses": drained.tally.losses,
            "cpu_micros_per_delivery": drained.cpu,
            "commits": drained.commits.count,
            "commit_mean_ms": drained.commits.mean_ms,
            "redis_reads": drained.redis_reads,
            "complaints": drained.complaints,
        });
    }
    if let Some(latency) = &round.latency {
        line["latency_ms"] = json!({
            "worker": latency.worker,
            "bare": latency.bare,
            "duplicates": latency.tally.duplicates,
            "losses": latency.tally.losses,
            "complaints": latency.complaints,
        });
    }
    line
}
