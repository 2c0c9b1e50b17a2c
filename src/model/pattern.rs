//! What an endpoint subscribes to.

use std::fmt;

use crate::model::validate;

/// One of an endpoint's `event_types`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: everything.
    All,
    /// `order.*`, kept as `order.`: every type that starts with it and goes on.
    Prefix(String),
    /// The same string.
    Exact(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        let (kind, name): (fn(String) -> Self, &str) = match text.strip_suffix('*') {
            Some(prefix) if prefix.len() > 1 && prefix.ends_with('.') => (Self::Prefix, prefix),
            Some(_) => return Err("must be an event type, `*`, or a prefix ending in `.*` such as `order.*`".into()),
            None => (Self::Exact, text),
        };
        validate::event_type(name)?;
        Ok(kind(name.to_owned()))
    }

    /// Whether an event of that type matches.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => event_type.len() > prefix.len() && event_type.starts_with(prefix.as_str()),
            Self::Exact(name) => name == event_type,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_contract_says() {
        let table = [
            ("*", "order", true),
            ("*", "a.b.c", true),
            ("order.*", "order.created", true),
            ("order.*", "order.item.added", true),
            ("order.*", "order", false),
            ("order.*", "order.", false),
            ("order.*", "orders.created", false),
            ("order.created", "order.created", true),
            ("order.created", "order.created.late", false),
            ("order", "order", true),
        ];
        for (pattern, event_type, wanted) in table {
            assert_eq!(Pattern::parse(pattern).expect(pattern).matches(event_type), wanted, "{pattern} {event_type}");
        }
    }

    #[test]
    fn other_wildcards_are_refused() {
        for pattern in ["", "order*", ".*", "*.created", "a.*.b", "order.**", "a b"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
