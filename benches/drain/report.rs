//! What people read, and what programs read.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::backlog::Backlog;
use crate::bad::Bad;
use crate::door::{Accepted, Door};
use crate::drain::Drained;
use crate::goals::Figure;
use crate::growth::Growth;
use crate::latency::Latency;
use crate::memory::Memory;
use crate::raw::Raw;
use crate::soak::Soak;
use crate::{Arguments, goals, once, table};

/// What one round measured.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) number: u32,
    /// The fastest first.
    pub(crate) raw: Vec<Raw>,
    pub(crate) drain: Option<Drained>,
    pub(crate) fan_out: Option<Drained>,
    pub(crate) tenants: Option<Drained>,
    pub(crate) retries: Option<Drained>,
    pub(crate) door: Option<Door>,
    pub(crate) embedded: Option<Drained>,
    pub(crate) latency: Option<Latency>,
    pub(crate) bad: Option<Bad>,
}

pub(crate) struct Report {
    events: u32,
    with_json: bool,
    rounds: Vec<Round>,
    /// What is measured once, against what is wanted.
    figures: Vec<Figure>,
    /// Faults of what is measured once.
    faults: usize,
}

impl Round {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// `of` against the fastest raw run of the same round.
    pub(crate) fn ratio(&self, of: f64) -> f64 {
        self.raw.first().map_or(f64::NAN, |raw| of / raw.per_second)
    }

    pub(crate) fn drains(&self) -> impl Iterator<Item = (&'static str, &Drained)> {
        let production = [("drain", &self.drain), ("fan-out", &self.fan_out), ("tenants", &self.tenants), ("retries", &self.retries)];
        production.into_iter().chain([("embedded", &self.embedded)]).filter_map(|(name, drained)| Some((name, drained.as_ref()?)))
    }

    pub(crate) fn doors(&self) -> impl Iterator<Item = (&'static str, &Accepted)> {
        self.door.iter().flat_map(Door::both)
    }

    /// What must not be.
    fn faults(&self) -> Vec<String> {
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
        for (name, others) in self.bad.iter().flat_map(Bad::all) {
            check(&format!("90 endpoints, and 10 {name}"), others.duplicates, others.losses);
        }
        let rows = self.drains().map(|(name, drained)| (name, drained.rows, drained.wanted));
        let rows = rows.chain(self.doors().map(|(name, accepted)| (name, accepted.rows, accepted.events)));
        let short = rows.filter(|(_, rows, wanted)| *rows != i64::from(*wanted));
        faults.extend(short.map(|(name, rows, wanted)| format!("{name}: {rows} rows where {wanted} were wanted")));
        faults
    }

    fn complaints(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let latency = self.latency.iter().map(|latency| ("latency", &latency.complaints));
        let bad = self.bad.iter().flat_map(Bad::all).map(|(name, others)| (name, &others.complaints));
        let doors = self.doors().map(|(name, accepted)| (name, &accepted.complaints));
        self.drains().map(|(name, drained)| (name, &drained.complaints)).chain(doors).chain(latency).chain(bad)
    }
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let report = Self { events: arguments.events, with_json: arguments.json, rounds: Vec::new(), figures: Vec::new(), faults: 0 };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let Arguments { events, crowd_events: crowd, body_bytes, .. } = arguments;
        report.say(&format!("{events} events ({crowd} among a hundred endpoints), bodies of about {body_bytes} bytes, {cores} cores\n"));
        report
    }

    pub(crate) fn add(&mut self, round: Round) {
        self.say(&format!("\nround {}\n{}", round.number, table::of(&round)));
        for (name, complaints) in round.complaints() {
            for complaint in complaints.iter().take(5) {
                self.say(&format!("  ! {name} logged: {complaint}\n"));
            }
            if complaints.len() > 5 {
                self.say(&format!("  ! {name} logged {} more\n", complaints.len() - 5));
            }
        }
        for fault in round.faults() {
            self.say(&format!("  ! {fault}\n"));
        }
        if self.with_json {
            writeln!(std::io::stdout(), "{}", table::line(&round, self.events)).expect("somebody reads it");
        }
        self.rounds.push(round);
    }

    pub(crate) fn soaked(&mut self, soak: &Soak) {
        self.once("soak", &once::soak(soak), &json!({"soak": soak}), soak.duplicates + soak.losses, &soak.complaints);
    }

    pub(crate) fn worked_off(&mut self, backlog: &Backlog) {
        let missing = (backlog.healthy as usize).saturating_sub(backlog.came);
        self.once("backlog", &once::backlog(backlog), &json!({"backlog": backlog}), backlog.duplicates + missing, &backlog.complaints);
    }

    pub(crate) fn held(&mut self, memory: &Memory) {
        let faults = memory.duplicates + memory.missing;
        self.once("memory", &once::memory(memory), &json!({"memory": memory}), faults, &memory.complaints);
        self.figures.extend(goals::of_memory(memory));
    }

    pub(crate) fn grew(&mut self, growth: &Growth) {
        let faults = growth.duplicates + growth.losses;
        self.once("growth", &once::growth(growth), &json!({"growth": growth}), faults, &growth.complaints);
        self.figures.extend(goals::of_growth(growth));
    }

    fn once(&mut self, name: &str, text: &str, line: &Value, faults: usize, complaints: &[String]) {
        self.say(text);
        for complaint in complaints.iter().take(5) {
            self.say(&format!("  ! {name} logged: {complaint}\n"));
        }
        if faults > 0 {
            self.say(&format!("  ! {name}: {faults} duplicates or losses\n"));
        }
        if self.with_json {
            writeln!(std::io::stdout(), "{line}").expect("somebody reads it");
        }
        self.faults += faults;
    }

    /// The worst and the median of all rounds, and what is wanted; a failure if anything came twice or not at all.
    pub(crate) fn close(mut self) -> ExitCode {
        let figures: Vec<_> = goals::of_rounds(&self.rounds).into_iter().chain(std::mem::take(&mut self.figures)).collect();
        let rounds = self.rounds.len();
        if rounds > 1 {
            self.say(&format!("\n  {:34}{:>10}{:>10}\n", format!("of {rounds} rounds"), "worst", "median"));
        } else {
            self.say("\n");
        }
        for figure in &figures {
            self.say(&figure.line());
        }
        if self.with_json {
            let goals: Vec<_> = figures.iter().map(Figure::json).collect();
            writeln!(std::io::stdout(), "{}", json!({"goals": goals})).expect("somebody reads it");
        }
        let faults: usize = self.faults + self.rounds.iter().map(|round| round.faults().len()).sum::<usize>();
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
