//! The names of all keys, prefix included.

use crate::ports::ClaimId;

pub(super) struct Keys {
    prefix: String,
    pub(super) events: String,
    pub(super) accepted: String,
    pub(super) retries: String,
    pub(super) leased: String,
    pub(super) claims: String,
    pub(super) routing: String,
    pub(super) dead_letters: String,
    pub(super) memory: String,
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
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn claim(&self, id: &ClaimId) -> String {
        format!("{}webhook_claim:{}", self.prefix, id.0)
    }
}
