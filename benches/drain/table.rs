//! What a round and its single measurements look like: to people, and to programs.

use serde_json::{Value, json};

use crate::bad::{Bad, Compared};
use crate::cpu::Cpu;
use crate::door::Accepted;
use crate::drain::Drained;
use crate::latency::Percentiles;
use crate::raw::Raw;
use crate::report::Round;

pub(crate) fn of(round: &Round) -> String {
    let mut text = String::new();
    if !round.raw.is_empty() {
        text += &format!("  {:34}{:>10}{:>9}{:>9}{:>12}{:>8}\n", "", "per second", "of raw", "rows", "duplicates", "losses");
    }
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
    for (name, Accepted { per_second, rows, .. }) in round.doors() {
        text += &format!("  {name:34}{per_second:10.0}{:9.3}{rows:9}\n", round.ratio(*per_second));
    }
    text += &costs(round);
    if let Some(latency) = &round.latency {
        text += &format!("  {:34}{:>10}{:>9}\n", "latency, ms", "p50", "p99");
        for (name, Percentiles { p50, p99 }) in
            [("enqueue to receipt, idle worker", latency.worker), ("bare POST to receipt", latency.bare)]
        {
            text += &format!("    {name:32}{p50:10.2}{p99:9.2}\n");
        }
    }
    if let Some(bad) = &round.bad {
        text += &crowd(bad);
    }
    text
}

fn crowd(bad: &Bad) -> String {
    let mut text = format!(
        "  {:24}{:>11}{:>9}{:>9}{:>9}{:>8}{:>8}{:>9}\n",
        "90 endpoints, and 10:", "per second", "of those", "steady", "of those", "p50 ms", "p99 ms", "of those"
    );
    for (name, of) in bad.all() {
        let Compared { per_second: (all, of_all), steady: (steady, of_steady), p50: (p50, _), p99: (p99, of_p99) } = bad.compared(of);
        text += &format!("    {name:22}{all:11.0}{of_all:9.3}{steady:9.0}{of_steady:9.3}{p50:8.2}{p99:8.2}{of_p99:9.2}\n");
    }
    text
}

fn costs(round: &Round) -> String {
    let mut text = String::new();
    let raw = round.raw.first().map(|raw| ("raw", raw_cpu(raw)));
    let drains = round.drains().map(|(name, drained)| (name, drained.cpu.clone()));
    let doors = round.doors().map(|(name, accepted)| (name, accepted.cpu.clone()));
    for (name, cpu) in raw.into_iter().chain(drains).chain(doors) {
        if !cpu.is_empty() {
            let parts: Vec<_> = cpu.iter().map(|(part, micros)| format!("{part} {micros:.1}")).collect();
            text += &format!("  CPU, µs each: {name:20}{:7.1} = {}\n", cpu.values().sum::<f64>(), parts.join(" + "));
        }
    }
    for (name, drained) in round.drains() {
        let commits = &drained.commits;
        let reads = drained
            .redis_reads
            .map_or_else(String::new, |reads| format!(", {:.4} Redis reads per delivery", reads / f64::from(drained.wanted)));
        text += &format!("  commits: {name:25}{:.0}, {:.1} ms on average{reads}\n", commits.count, commits.mean_ms);
    }
    text
}

fn raw_cpu(raw: &Raw) -> Cpu {
    let parts = [("client", raw.client_cpu), ("receiver", raw.receiver_cpu)];
    parts.into_iter().filter_map(|(part, micros)| Some((part, micros?))).collect()
}

pub(crate) fn line(round: &Round, events: u32) -> Value {
    let mut line = json!({"round": round.number, "events": events, "raw": round.raw});
    for (name, accepted) in round.doors() {
        line[name] = json!({"accepted": accepted, "ratio": round.ratio(accepted.per_second)});
    }
    for (name, drained) in round.drains() {
        line[name] = json!({
            "sent_per_second": drained.sent_per_second,
            "per_second": drained.per_second,
            "ratio": round.ratio(drained.per_second),
            "wanted": drained.wanted,
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
    if let Some(bad) = &round.bad {
        for (name, others) in bad.all() {
            let Compared { per_second, steady, p99, .. } = bad.compared(others);
            line["bad"][name] = json!({"others": others, "ratios": {"per_second": per_second.1, "steady": steady.1, "p99": p99.1}});
        }
    }
    line
}
