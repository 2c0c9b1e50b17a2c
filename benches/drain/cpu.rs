//! CPU time of what the benchmark started, from /proc; elsewhere than on Linux there is none.

use std::collections::{BTreeMap, HashMap};

/// In microseconds, by component.
pub(crate) type Cpu = BTreeMap<&'static str, f64>;

/// One tick of `utime` and `stime` as Linux shows them on every architecture: 10 ms.
const TICK_MICROS: f64 = 10_000.0;

struct Entry {
    name: String,
    parent: u32,
    /// Its own and that of its children that ended.
    ticks: f64,
}

/// What each child of this process has used so far, with all of its own children.
pub(crate) fn used() -> Cpu {
    let processes = processes();
    let own = std::process::id();
    let mut used = Cpu::new();
    for (pid, process) in &processes {
        // The child of ours that it descends from.
        let mut top = *pid;
        while let Some(entry) = processes.get(&top).filter(|entry| entry.parent != own) {
            top = entry.parent;
        }
        if let Some(component) = processes.get(&top).and_then(|top| component(&top.name)) {
            *used.entry(component).or_default() += process.ticks * TICK_MICROS;
        }
    }
    used
}

/// For each of so many units, what was used between two looks.
pub(crate) fn per_unit(before: &Cpu, after: &Cpu, units: u32) -> Cpu {
    let used = |(name, micros): (&&'static str, &f64)| (*name, (micros - before.get(name).unwrap_or(&0.0)) / f64::from(units));
    after.iter().map(used).collect()
}

/// What this process has used itself, in microseconds.
pub(crate) fn own() -> Option<f64> {
    Some(read("self")?.ticks * TICK_MICROS)
}

fn component(program: &str) -> Option<&'static str> {
    match program {
        "posthaste" => Some("posthaste"),
        "redis-server" | "valkey-server" => Some("redis"),
        "postgres" => Some("postgres"),
        // This program under its file's name.
        name if name.starts_with("drain") => Some("receiver"),
        _ => None,
    }
}

fn processes() -> HashMap<u32, Entry> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, read(&pid.to_string())?))).collect()
}

/// proc(5): `pid (name) state ppid …`, and user, system, children's user and children's system time from the 14th field on.
fn read(pid: &str) -> Option<Entry> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (start, rest) = text.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().unwrap_or_default()).sum();
    Some(Entry { name: start.split_once('(')?.1.to_owned(), parent: fields.get(1)?.parse().ok()?, ticks })
}
