//! What is measured once looks like this to people.

use crate::backlog::Backlog;
use crate::growth::{Growth, Rates};
use crate::latency::Percentiles;
use crate::memory::{Held, Memory};
use crate::soak::Soak;

fn mib(kib: usize) -> f64 {
    kib as f64 / 1024.0
}

pub(crate) fn soak(soak: &Soak) -> String {
    let minutes: Vec<_> = soak.minutes.iter().map(|kib| format!("{:.1}", mib(*kib))).collect();
    let Percentiles { p50, p99 } = soak.latency;
    format!(
        "\nsoak, {} s with 10 of 100 endpoints bad\n  memory before {:.1} MiB; at the end of each minute {}; {:+.1} % in the end\n  \
         the 90 others: p50 {p50:.2} ms, p99 {p99:.2} ms, {} duplicates, {} losses\n",
        soak.seconds,
        mib(soak.before),
        minutes.join(", "),
        soak.growth() * 100.0,
        soak.duplicates,
        soak.losses
    )
}

pub(crate) fn backlog(backlog: &Backlog) -> String {
    format!(
        "\n100,000 endpoints, {} deliveries due, every tenth endpoint bad\n  {} of {} for healthy endpoints came in {:.0} s ({:.0} a second), {} duplicates\n  \
         memory {:.1} MiB with nothing to do, {:.1} MiB at most\n  {} still wait for bad endpoints, at {:.0} claims a second\n",
        backlog.deliveries,
        backlog.came,
        backlog.healthy,
        backlog.seconds,
        backlog.came as f64 / backlog.seconds,
        backlog.duplicates,
        mib(backlog.idle),
        mib(backlog.most),
        backlog.waiting,
        backlog.claims_per_second
    )
}

pub(crate) fn memory(memory: &Memory) -> String {
    let megabytes = |kib: f64| kib * 1024.0 / 1e6;
    let held = |Held { steady, most, delivered }: &Held| {
        format!("{:.1} MB at most, {:.1} MB as a rule, while {delivered} were delivered", megabytes(*most), megabytes(*steady))
    };
    format!(
        "\nmemory of a worker\n  {} events in the list: {}\n  100,000 endpoints and {} retries that are not due: {}; {:.1} MB with nothing to do\n  \
         {:.1} MB at most while an empty Redis gets those retries back, at {:.0} bytes of Redis each\n  {} duplicates, {} missing\n",
        memory.events,
        held(&memory.with_events),
        memory.retries,
        held(&memory.with_retries),
        megabytes(memory.idle),
        megabytes(memory.restoring),
        memory.redis,
        memory.duplicates,
        memory.missing
    )
}

pub(crate) fn growth(growth: &Growth) -> String {
    let mut text = format!("\ngrowth, {} events each, medians\n  {:34}{:>10}{:>16}\n", growth.events, "", "per second", "per CPU second");
    let mut line = |name: &str, rates: &Rates| {
        let parts: Vec<_> = rates.cpu().iter().map(|(part, micros)| format!("{part} {micros:.1}")).collect();
        text += &format!("  {name:34}{:10.0}{:16.0}   µs: {}\n", rates.per_second(), rates.per_cpu_second(), parts.join(" + "));
    };
    line("empty tables", &growth.empty);
    line(&format!("{} deliveries in them", growth.rows), &growth.full);
    for (count, rates) in &growth.workers {
        line(&format!("empty tables, workers: {count}"), rates);
    }
    let (per_core, per_second) = growth.with_rows();
    text + &format!(
        "  with all rows {per_core:.3} per CPU second, {per_second:.3} per second; loaded in {:.0} s; {} duplicates, {} losses\n",
        growth.load_seconds, growth.duplicates, growth.losses
    )
}
