//! What is wanted, and whether it was reached: by the median of the rounds.

use serde_json::{Value, json};

use crate::crowd::Ten;
use crate::drain::Drained;
use crate::growth::Growth;
use crate::memory::Memory;
use crate::report::Round;

/// A figure of each round, or of what is measured once.
pub(crate) struct Figure {
    name: String,
    of: Vec<f64>,
    unit: &'static str,
    wanted: Wanted,
}

#[derive(Clone, Copy)]
enum Wanted {
    AtLeast(f64),
    Below(f64),
}

/// Of two in the middle, what is between them; of none, not a number.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(figures.len().saturating_sub(1) / 2), at(figures.len() / 2))
}

impl Figure {
    fn new(name: &str, of: Vec<f64>, unit: &'static str, wanted: Wanted) -> Self {
        Self { name: name.to_owned(), of, unit, wanted }
    }

    fn worst(&self) -> f64 {
        let worse = match self.wanted {
            Wanted::AtLeast(_) => f64::min,
            Wanted::Below(_) => f64::max,
        };
        self.of.iter().copied().reduce(worse).unwrap_or(f64::NAN)
    }

    fn is_reached(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(least) => median(&self.of) >= least,
            Wanted::Below(limit) => median(&self.of) < limit,
        }
    }

    /// The worst, where there are several, the median, and what is wanted.
    pub(crate) fn line(&self) -> String {
        let worst = if self.of.len() > 1 { format!("{:.3}", self.worst()) } else { String::new() };
        let wanted = match self.wanted {
            Wanted::AtLeast(least) => format!("{least} or more"),
            Wanted::Below(limit) => format!("less than {limit}"),
        };
        let reached = if self.is_reached() { "reached" } else { "MISSED" };
        format!("  {:34}{worst:>10}{:10.3} {} (wanted: {wanted}; {reached})\n", self.name, median(&self.of), self.unit)
    }

    pub(crate) fn json(&self) -> Value {
        let wanted = match self.wanted {
            Wanted::AtLeast(least) => json!({"at_least": least}),
            Wanted::Below(limit) => json!({"less_than": limit}),
        };
        let (worst, median) = (self.worst(), median(&self.of));
        json!({"name": self.name, "unit": self.unit, "worst": worst, "median": median, "wanted": wanted, "reached": self.is_reached()})
    }
}

/// What the rounds measured.
pub(crate) fn of_rounds(rounds: &[Round]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |name: &str, unit: &'static str, wanted: Wanted, pick: &dyn Fn(&Round) -> Option<f64>| {
        let of: Vec<_> = rounds.iter().filter_map(pick).collect();
        if !of.is_empty() {
            figures.push(Figure::new(name, of, unit, wanted));
        }
    };
    let ratio = |pick: fn(&Round) -> &Option<Drained>| move |round: &Round| Some(round.ratio(pick(round).as_ref()?.per_second));
    add("drain", "of raw", Wanted::AtLeast(0.5), &ratio(|round| &round.drain));
    add("fan-out", "of raw", Wanted::AtLeast(0.6), &ratio(|round| &round.fan_out));
    add("tenants", "of raw", Wanted::AtLeast(0.4), &ratio(|round| &round.tenants));
    add("retries", "of raw", Wanted::AtLeast(0.35), &ratio(|round| &round.retries));
    add("door, one by one", "of raw", Wanted::AtLeast(0.3), &|round| Some(round.ratio(round.door.as_ref()?.one.per_second)));
    add("door, arrays of 100", "of raw", Wanted::AtLeast(1.0), &|round| Some(round.ratio(round.door.as_ref()?.arrays.per_second)));
    add("embedded", "of raw", Wanted::AtLeast(0.4), &ratio(|round| &round.embedded));
    add("latency p50, above a bare POST", "ms", Wanted::Below(1.5), &|round| Some(round.latency.as_ref()?.above(|of| of.p50)));
    add("latency p99, above a bare POST", "ms", Wanted::Below(5.0), &|round| Some(round.latency.as_ref()?.above(|of| of.p99)));
    for ten in Ten::BAD {
        let compared = |round: &Round| round.bad.as_ref()?.with(ten);
        let name = format!("10 {}, others' ", ten.name());
        add(&(name.clone() + "throughput"), "of healthy", Wanted::AtLeast(0.9), &|round| Some(compared(round)?.per_second.1));
        add(&(name + "p99"), "of healthy", Wanted::Below(2.0), &|round| Some(compared(round)?.p99.1));
    }
    figures
}

pub(crate) fn of_memory(memory: &Memory) -> Vec<Figure> {
    let megabytes = |kib: f64| vec![kib * 1024.0 / 1e6];
    let (events, retries) = (megabytes(memory.with_events.most), megabytes(memory.with_retries.most));
    vec![
        Figure::new(&format!("memory, {} events wait", memory.events), events, "MB at most", Wanted::Below(100.0)),
        Figure::new(&format!("memory, {} retries wait", memory.retries), retries, "MB at most", Wanted::Below(150.0)),
        Figure::new("Redis, each waiting retry", vec![memory.redis], "bytes", Wanted::Below(150.0)),
    ]
}

pub(crate) fn of_growth(growth: &Growth) -> Vec<Figure> {
    let (per_core, _) = growth.with_rows();
    let rows = format!("per core, {} rows", growth.rows);
    vec![
        Figure::new(&rows, vec![per_core], "of empty tables", Wanted::AtLeast(0.9)),
        Figure::new("2 or 4 workers, the less", vec![growth.with_workers()], "of one", Wanted::AtLeast(0.9)),
    ]
}
