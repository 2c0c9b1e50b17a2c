//! An endpoint's secret is replaced, and the one before goes on to sign for a while.

use std::time::Duration;

use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::endpoint::{check_secret, seconds, take};
use crate::model::problem::Problem;
use crate::model::secret::Secret;

/// A secret that was replaced, and still signs beside the newest one.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierSecret {
    pub secret: Secret,
    /// It signs no attempt that is made at this time or later.
    pub until: Timestamp,
}

/// A secret is replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// `None`: one is made.
    pub secret: Option<Secret>,
    /// How long the one that is replaced goes on to sign.
    pub overlap: Duration,
}

impl Rotation {
    /// How many earlier secrets may be valid at a time.
    pub const MOST_EARLIER: usize = 7;
}

/// What a request to replace a secret carries.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationDraft {
    pub secret: Option<String>,
    /// 86,400 unless it is given.
    pub overlap_seconds: Option<f64>,
}

impl RotationDraft {
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn into_valid(self) -> Result<Rotation, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut overlap = Duration::from_secs(86_400);
        take(self.overlap_seconds, "overlap_seconds", |s| seconds(s, 0.0, 2_592_000.0), &mut overlap, &mut problems);
        if let Some(Err(message)) = self.secret.as_deref().map(check_secret) {
            problems.push(Problem::new("secret", message));
        }
        if problems.is_empty() { Ok(Rotation { secret: self.secret.map(Secret::new), overlap }) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Rotation, Vec<Problem>> {
        serde_json::from_str::<RotationDraft>(json).expect(json).into_valid()
    }

    #[test]
    fn a_rotation_overlaps_for_a_day_unless_it_says_otherwise() {
        assert_eq!(read("{}").expect("valid"), Rotation { secret: None, overlap: Duration::from_secs(86_400) });
        assert_eq!(read(r#"{"overlap_seconds":0.5}"#).expect("valid").overlap, Duration::from_millis(500));
        let problems = read(r#"{"overlap_seconds":-1,"secret":"short"}"#).expect_err("invalid");
        assert_eq!(problems.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), ["overlap_seconds", "secret"]);
        for wrong in [r#"{"overlap_seconds":2592001}"#, r#"{"secret":"sealed:1:abc:def"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
