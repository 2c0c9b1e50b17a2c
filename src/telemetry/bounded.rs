//! Handles of metrics by label value, and never more of them than a fixed number.

use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

/// What stands for every label value beyond the limit.
pub(super) const OTHER: &str = "other";

/// Remembers one `T` for each name, up to `max` names; all further names share the one of [`OTHER`].
///
/// Label values come from applications and owners. Without a limit, ids in an event type would fill the memory here and in Prometheus.
pub(super) struct Bounded<T> {
    max: usize,
    known: RwLock<HashMap<Box<str>, T>>,
    other: OnceLock<T>,
}

impl<T: Clone> Bounded<T> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, known: RwLock::new(HashMap::new()), other: OnceLock::new() }
    }

    /// The `T` of `name`. A name that is known costs a read lock and no allocation; `make` gets the label value to use.
    pub(super) fn get(&self, name: &str, make: impl Fn(&str) -> T) -> T {
        // A handle is whole whenever it is in the map, so a panic elsewhere spoils nothing.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return found.clone();
        }
        let full = known.len() >= self.max;
        drop(known);
        if full { self.other.get_or_init(|| make(OTHER)).clone() } else { self.insert(name, make) }
    }

    fn insert(&self, name: &str, make: impl Fn(&str) -> T) -> T {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.max && !known.contains_key(name) {
            return self.other.get_or_init(|| make(OTHER)).clone();
        }
        known.entry(name.into()).or_insert_with(|| make(name)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_share_one() {
        let bounded = Bounded::new(2);
        let names: Vec<String> = ["a", "b", "c", "d", "a"].iter().map(|name| bounded.get(name, str::to_owned)).collect();
        assert_eq!(names, ["a", "b", OTHER, OTHER, "a"]);
    }
}
