//! What people read, and what programs read.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::backlog::Backlog;
use crate::bad::Bad;
use crate::crowd::Ten;
use crate::drain::Drained;
use crate::latency::Latency;
use crate::raw::Raw;
use crate::soak::Soak;
use crate::{Arguments, table};

/// What one round measured.
pub(crate) struct Round {
    pub(crate) number: u32,
    /// The fastest first.
    pub(crate) raw: Vec<Raw>,
    pub(crate) drain: Option<Drained>,
    pub(crate) embedded: Option<Drained>,
    pub(crate) latency: Option<Latency>,
    pub(crate) bad: Option<Bad>,
}

pub(crate) struct Report {
    events: u32,
    with_json: bool,
    rounds: Vec<Round>,
    /// Faults of what is measured once.
    faults: usize,
}

impl Round {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, raw: Vec::new(), drain: None, embedded: None, latency: None, bad: None }
    }

    /// `of` against the fastest raw run of the same round.
    pub(crate) fn ratio(&self, of: f64) -> f64 {
        self.raw.first().map_or(f64::NAN, |raw| of / raw.per_second)
    }

    pub(crate) fn drains(&self) -> impl Iterator<Item = (&'static str, &Drained)> {
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
        for (name, others) in self.bad.iter().flat_map(Bad::all) {
            check(&format!("90 endpoints, and 10 {name}"), others.duplicates, others.losses);
        }
        let short = self.drains().filter(|(_, drained)| drained.rows != i64::from(events));
        faults.extend(short.map(|(name, drained)| format!("{name}: {} rows delivered of {events}", drained.rows)));
        faults
    }

    fn complaints(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let latency = self.latency.iter().map(|latency| ("latency", &latency.complaints));
        let bad = self.bad.iter().flat_map(Bad::all).map(|(name, others)| (name, &others.complaints));
        self.drains().map(|(name, drained)| (name, &drained.complaints)).chain(latency).chain(bad)
    }
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let report = Self { events: arguments.events, with_json: arguments.json, rounds: Vec::new(), faults: 0 };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let Arguments { events, crowd_events: crowd, body_bytes, .. } = arguments;
        report.say(&format!("{events} events ({crowd} among a hundred endpoints), bodies of about {body_bytes} bytes, {cores} cores\n"));
        report
    }

    pub(crate) fn add(&mut self, round: Round) {
        self.say(&format!("\nround {}\n{}", round.number, table::of(&round, self.events)));
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
            writeln!(std::io::stdout(), "{}", table::line(&round, self.events)).expect("somebody reads it");
        }
        self.rounds.push(round);
    }

    pub(crate) fn soaked(&mut self, soak: &Soak) {
        self.once("soak", &table::soak(soak), &json!({"soak": soak}), soak.duplicates + soak.losses, &soak.complaints);
    }

    pub(crate) fn worked_off(&mut self, backlog: &Backlog) {
        let missing = (backlog.healthy as usize).saturating_sub(backlog.came);
        self.once("backlog", &table::backlog(backlog), &json!({"backlog": backlog}), backlog.duplicates + missing, &backlog.complaints);
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

    /// The worst of all rounds; a failure if anything came twice or not at all.
    pub(crate) fn close(self) -> ExitCode {
        let of = |pick: fn(&Round) -> Option<f64>| self.rounds.iter().filter_map(pick).reduce(f64::min);
        let drain = of(|round| Some(round.ratio(round.drain.as_ref()?.per_second)));
        let embedded = of(|round| Some(round.ratio(round.embedded.as_ref()?.per_second)));
        let p99 = of(|round| Some(-round.latency.as_ref()?.worker.p99)).map(|p99| -p99);
        if !self.rounds.is_empty() {
            self.say(&format!("\nworst of {}\n", self.rounds.len()));
        }
        if let Some(ratio) = drain {
            self.say(&format!("  drain          {ratio:8.3} of raw\n"));
        }
        if let Some(ratio) = embedded {
            self.say(&format!("  embedded       {ratio:8.3} of raw\n"));
        }
        if let Some(p99) = p99 {
            self.say(&format!("  latency p99    {p99:8.2} ms\n"));
        }
        for ten in Ten::BAD {
            let of = |pick: fn((f64, f64, f64)) -> f64| {
                let of = |bad: &Bad| Some(pick(bad.ratios(&bad.kinds.iter().find(|(which, _)| *which == ten)?.1)));
                self.rounds.iter().filter_map(|round| of(round.bad.as_ref()?)).reduce(f64::min)
            };
            if let (Some(all), Some(late)) = (of(|(all, _, _)| all), of(|(_, _, late)| -late)) {
                let name = format!("10 {}", ten.name());
                self.say(&format!(
                    "  {name:14} {all:8.3} of the throughput, {:.2} of the p99 (wanted: 0.90 or more, less than 2)\n",
                    -late
                ));
            }
        }
        let faults: usize = self.faults + self.rounds.iter().map(|round| round.faults(self.events).len()).sum::<usize>();
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
