//! What a process uses of the machine, as Linux tells it.

use std::time::Duration;

use super::process::Process;

/// The unit of `/proc/<pid>/stat`, fixed for all that reads it.
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// CPU time since its start, of all threads.
    pub(crate) cpu: Duration,
    /// Memory that it holds now, in bytes.
    pub(crate) memory: u64,
}

impl Usage {
    pub(crate) fn of(process: &Process) -> Self {
        let pid = process.pid();
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process that runs, on Linux");
        let (stat, status) = (read("stat"), read("status"));
        // The second field is a name in brackets, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks =
            |number: usize| fields.split_whitespace().nth(number - 3).and_then(|field| field.parse::<u32>().ok()).expect("a number");
        let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Self { cpu: TICK * (ticks(14) + ticks(15)), memory: held.expect("a number") * 1024 }
    }
}
