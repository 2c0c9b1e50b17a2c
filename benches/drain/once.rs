//! What is measured once looks like this to people.

use crate::backlog::Backlog;
use crate::latency::Percentiles;
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
