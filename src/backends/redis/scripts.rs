//! The scripts, each described at its head. A server that forgot one is given it again.

use std::collections::HashMap;

use redis::Script;

pub(super) const RENEW_DELIVERIES: &str = include_str!("lua/renew_deliveries.lua");

/// A script after what those that change pauses have in common.
macro_rules! pausing {
    ($file:literal) => {
        Script::new(concat!(include_str!("lua/pausing.lua"), include_str!($file)))
    };
}

pub(super) struct Scripts {
    pub(super) claim_entries: Script,
    pub(super) claim_accepted: Script,
    pub(super) claim_due: Script,
    pub(super) hold: Script,
    pub(super) arrived: Script,
    pub(super) expired: Script,
    pub(super) take_over: Script,
    pub(super) reserve: Script,
    pub(super) reserve_across: Script,
    pub(super) layout: Script,
    pub(super) renew: Script,
    pub(super) memory: Script,
    pub(super) schedule_missing: Script,
    pub(super) renew_deliveries: Script,
    pub(super) pause: Script,
    pub(super) probe: Script,
    pub(super) recovered: Script,
    pub(super) slots: Script,
    pub(super) letters: Script,
    pub(super) remove_letters: Script,
    pub(super) oldest: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            claim_entries: Script::new(include_str!("lua/claim_entries.lua")),
            claim_accepted: Script::new(include_str!("lua/claim_accepted.lua")),
            claim_due: Script::new(include_str!("lua/claim_due.lua")),
            hold: Script::new(include_str!("lua/hold.lua")),
            arrived: Script::new(include_str!("lua/arrived.lua")),
            expired: Script::new(include_str!("lua/expired.lua")),
            take_over: Script::new(include_str!("lua/take_over.lua")),
            reserve: Script::new(include_str!("lua/reserve.lua")),
            reserve_across: Script::new(include_str!("lua/reserve_across.lua")),
            layout: Script::new(include_str!("lua/layout.lua")),
            renew: Script::new(include_str!("lua/renew.lua")),
            memory: Script::new(include_str!("lua/memory.lua")),
            schedule_missing: Script::new(include_str!("lua/schedule_missing.lua")),
            renew_deliveries: Script::new(RENEW_DELIVERIES),
            pause: pausing!("lua/pause.lua"),
            probe: pausing!("lua/probe.lua"),
            recovered: pausing!("lua/recovered.lua"),
            slots: Script::new(include_str!("lua/slots.lua")),
            letters: Script::new(include_str!("lua/letters.lua")),
            remove_letters: Script::new(include_str!("lua/remove_letters.lua")),
            oldest: Script::new(include_str!("lua/oldest.lua")),
        }
    }

    /// The names by which their calls are shown, by their hashes.
    pub(super) fn names(&self) -> HashMap<String, &'static str> {
        let named = [
            ("claim_entries", &self.claim_entries),
            ("claim_accepted", &self.claim_accepted),
            ("claim_due", &self.claim_due),
            ("arrived", &self.arrived),
            ("take_over", &self.expired),
            ("take_over", &self.take_over),
            ("reserve", &self.reserve),
            ("renew", &self.renew),
            ("memory", &self.memory),
            ("schedule_missing", &self.schedule_missing),
            ("renew", &self.renew_deliveries),
            ("pause", &self.pause),
            ("probe", &self.probe),
            ("recovered", &self.recovered),
            ("slots", &self.slots),
            ("letters", &self.letters),
            ("remove_letters", &self.remove_letters),
            ("oldest", &self.oldest),
        ];
        named.into_iter().map(|(name, script)| (script.get_hash().to_owned(), name)).collect()
    }
}
