//! The names of all keys, prefix included.

use crate::ports::ClaimId;

pub(super) struct Keys {
    prefix: String,
    /// Entries of door 1.
    pub(super) events: String,
    pub(super) accepted: String,
    pub(super) retries: String,
    pub(super) leased: String,
    pub(super) claims: String,
    pub(super) routing: String,
    pub(super) dead_letters: String,
    pub(super) memory: String,
    pub(super) pauses: String,
    pub(super) broken: String,
    pub(super) slowed: String,
    /// How many shards there are; used of the [`Keys::of_door`] alone.
    pub(super) shards: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{prefix}webhook_{name}");
        Self {
            events: key("events"),
            accepted: key("accepted"),
            retries: key("retries"),
            leased: key("leased"),
            claims: key("claims"),
            routing: key("routing"),
            dead_letters: key("dead_letters"),
            memory: key("memory"),
            pauses: key("pauses"),
            broken: key("broken"),
            slowed: key("slowed"),
            shards: key("shards"),
            prefix: prefix.to_owned(),
        }
    }

    /// The list that applications know, and what goes with it in the same slot of a Redis Cluster: the list's name is the others' hash tag.
    pub(super) fn of_door(prefix: &str) -> Self {
        let events = format!("{prefix}webhook_events");
        Self { events: events.clone(), ..Self::new(&format!("{prefix}{{{events}}}")) }
    }

    pub(super) fn claim(&self, id: &ClaimId) -> String {
        format!("{}webhook_claim:{}", self.prefix, id.0)
    }

    pub(super) fn slot(&self, endpoint_id: i64) -> String {
        format!("{}webhook_slot:{endpoint_id}", self.prefix)
    }

    pub(super) fn line(&self, endpoint_id: i64) -> String {
        format!("{}webhook_line:{endpoint_id}", self.prefix)
    }
}
