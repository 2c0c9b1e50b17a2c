//! What the system says of this process, under the names that Prometheus' own clients use. Linux only: elsewhere they stay 0.

use std::fs;
use std::sync::{Mutex, PoisonError};

use prometheus::{Counter, Gauge, IntGauge};

use super::maker::Maker;

/// The kernel counts processor time for programs in hundredths of a second, on every architecture that this one runs on.
const TICKS: f64 = 100.0;

pub(in crate::telemetry) struct Process {
    cpu: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    resident: IntGauge,
    threads: IntGauge,
    start: Gauge,
    /// Two who look at once would add the same time twice.
    looking: Mutex<()>,
}

impl Process {
    pub(super) fn register(maker: &Maker) -> Result<Self, prometheus::Error> {
        let made = Self {
            cpu: maker.float_counter("process_cpu_seconds_total", "Processor time used, by the user and the system, in seconds.")?,
            open_fds: maker.gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: maker.gauge("process_max_fds", "How many file descriptors may be open.")?,
            resident: maker.gauge("process_resident_memory_bytes", "Memory in use, in bytes.")?,
            threads: maker.gauge("process_threads", "Threads of the system.")?,
            start: maker.float_gauge("process_start_time_seconds", "When the process was started, in seconds since 1970.")?,
            looking: Mutex::new(()),
        };
        made.start.set(started_at().unwrap_or_default());
        Ok(made)
    }

    /// Looks anew.
    pub(in crate::telemetry) fn look(&self) {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = stat().and_then(|stat| Some((stat.field(14)? + stat.field(15)?) / TICKS)) {
            self.cpu.inc_by((used - self.cpu.get()).max(0.0));
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the one that looks.
            self.open_fds.set(i64::try_from(open.count().saturating_sub(1)).unwrap_or(i64::MAX));
        }
        set(&self.max_fds, named("/proc/self/limits", "Max open files"));
        set(&self.resident, named("/proc/self/status", "VmRSS:").map(|kib| kib.saturating_mul(1024)));
        set(&self.threads, named("/proc/self/status", "Threads:"));
    }
}

fn set(gauge: &IntGauge, found: Option<i64>) {
    if let Some(value) = found {
        gauge.set(value);
    }
}

/// The first number of the line that starts with `name`.
fn named(file: &str, name: &str) -> Option<i64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

struct Stat(String);

impl Stat {
    /// Numbered as in `man 5 proc`, from 1.
    fn field(&self, number: usize) -> Option<f64> {
        // The second is the program's name in parentheses, which may hold anything.
        let rest = self.0.rsplit_once(')')?.1;
        rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
    }
}

fn stat() -> Option<Stat> {
    fs::read_to_string("/proc/self/stat").ok().map(Stat)
}

fn started_at() -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
    let booted = named("/proc/stat", "btime")? as f64;
    Some(booted + stat()?.field(22)? / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_system_says_is_understood() {
        let now = clock::unix_seconds(clock::now());
        assert!(started_at().is_some_and(|start| start < now + 1.0 && start > now - 86_400.0), "{:?}", started_at());
        let maker = Maker { registry: prometheus::Registry::new() };
        let process = Process::register(&maker).expect("names of their own");
        process.look();
        assert!(process.open_fds.get() > 2 && process.max_fds.get() > process.open_fds.get());
        assert!(process.resident.get() > 1 << 20 && process.threads.get() > 1);
        let before = process.cpu.get();
        process.look();
        assert!(process.cpu.get() >= before);
    }

    #[test]
    fn a_program_may_have_any_name() {
        let stat = Stat("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 33 44".to_owned());
        assert_eq!((stat.field(4), stat.field(14), stat.field(15), stat.field(16)), (Some(1.0), Some(33.0), Some(44.0), None));
    }
}
