//! Every metric there is, with its help text: names and labels are part of the contract with dashboards, and `docs/metrics.md` lists them.

mod backends;
mod deliveries;
mod maker;
mod process;
mod waiting;
mod worker;

use prometheus::Registry;

use self::backends::Backends;
pub(super) use self::deliveries::CLASSES;
use self::deliveries::Deliveries;
use self::maker::Maker;
use self::process::Process;
use self::waiting::Waiting;
use self::worker::Worker;

/// Handles of all metrics, in one registry.
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) deliveries: Deliveries,
    pub(super) waiting: Waiting,
    pub(super) worker: Worker,
    pub(super) backends: Backends,
    pub(super) process: Process,
}

impl Families {
    /// Registers everything.
    ///
    /// # Errors
    /// When two metrics have one name, or a name has a character that Prometheus refuses.
    pub(super) fn register() -> Result<Self, prometheus::Error> {
        let maker = Maker { registry: Registry::new() };
        Ok(Self {
            deliveries: Deliveries::register(&maker)?,
            waiting: Waiting::register(&maker)?,
            worker: Worker::register(&maker)?,
            backends: Backends::register(&maker)?,
            process: Process::register(&maker)?,
            registry: maker.registry,
        })
    }
}
