//! Query parameters, with every problem named at once.

use axum::http::Uri;
use chrono::{DateTime, SubsecRound as _, Utc};

use super::auth::Access;
use super::problem::ApiError;
use crate::model::clock::Timestamp;
use crate::model::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::model::problem::Problem;
use crate::model::validate;

/// The query of one request. Parameters that the call does not know are problems: a filter with a typing error would show everything.
pub(super) struct Params {
    given: Vec<(String, String)>,
    problems: Vec<Problem>,
}

impl Params {
    pub(super) fn new(uri: &Uri, known: &[&str]) -> Self {
        let mut params = Self { given: Vec::new(), problems: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                params.problem(&name, format!("is not a parameter of this call: there are {}", known.join(", ")));
            } else if params.given.iter().any(|(other, _)| *other == name) {
                params.problem(&name, "is given twice".into());
            } else {
                params.given.push((name.into_owned(), value.into_owned()));
            }
        }
        params
    }

    pub(super) fn problem(&mut self, name: &str, message: String) {
        self.problems.push(Problem::new(name, message));
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.swap_remove(at).1)
    }

    /// A parameter that some parser understands; its error says what would be right.
    pub(super) fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(name, message);
                None
            }
        }
    }

    /// Text of an alphabet.
    pub(super) fn checked(&mut self, name: &str, check: impl FnOnce(&str) -> Result<(), String>) -> Option<String> {
        self.parsed(name, |text| check(text).map(|()| text.to_owned()))
    }

    pub(super) fn number(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| format!("must be a whole number from {min} to {max}"))
        })
    }

    /// How many rows the list shall have.
    pub(super) fn limit(&mut self) -> u32 {
        self.number("limit", 1, i64::from(MAX_LIMIT)).and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT)
    }

    /// The tenant to look at: the one asked for, or the one that the token is bound to.
    pub(super) fn tenant(&mut self, access: &Access) -> Option<String> {
        let asked = self.checked("tenant", validate::tenant);
        access.narrow(asked).unwrap_or_else(|message| {
            self.problem("tenant", message);
            None
        })
    }

    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, time)
    }

    /// # Errors
    /// Everything that was wrong.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.problems)) }
    }
}

/// A time of a request, in whole microseconds.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    // A plus sign that nobody encoded arrives as a space.
    let repaired = text.rsplit_once(' ').map(|(time, offset)| format!("{time}+{offset}"));
    DateTime::parse_from_rfc3339(text)
        .or_else(|error| repaired.map_or(Err(error), |text| DateTime::parse_from_rfc3339(&text)))
        .map(|time| time.with_timezone(&Utc).trunc_subsecs(6))
        .map_err(|_unreadable| "must be a time such as 2026-01-02T03:04:05Z (RFC 3339)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_any_offset_even_with_a_bare_plus_sign() {
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T05:04:05 02:00", "2026-01-02T01:04:05-02:00"] {
            assert_eq!(time(text).expect(text).to_rfc3339(), "2026-01-02T03:04:05+00:00");
        }
        for text in ["", "yesterday", "2026-01-02", "1763757296"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
