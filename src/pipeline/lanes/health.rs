//! Whether an endpoint is well, as far as this process can tell: the breaker as a pure state machine.

use std::time::{Duration, Instant};

use crate::config::BreakerSettings;
use crate::model::outcome::{FailureKind, Outcome};

/// What the end of an attempt tells about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Sign {
    Well,
    /// It did not take the delivery, and said so at once: by an answer, or by refusing the connection.
    Failing,
    /// It answered 429, 502, 503 or 504, and perhaps said for how long it wants to be left alone.
    Overloaded(Option<Duration>),
    /// No complete answer came in time.
    Silent,
    /// It ended by our own doing.
    Nothing,
}

impl Sign {
    /// `most`: no receiver is left alone for longer, whatever it asks for.
    pub(in crate::pipeline) fn of(outcome: &Outcome, most: Duration) -> Self {
        match outcome {
            outcome if outcome.is_success() => Self::Well,
            Outcome::Answered(answer) => match answer.status {
                429 | 502 | 503 | 504 => Self::Overloaded(answer.retry_after.map(|asked| asked.min(most))),
                _ => Self::Failing,
            },
            Outcome::Failed(failure) if failure.kind == FailureKind::Timeout => Self::Silent,
            Outcome::Failed(_) => Self::Failing,
        }
    }

    /// Whether it speaks against the endpoint.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::Failing | Self::Overloaded(_) | Self::Silent)
    }
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Health {
    silent: u32,
    failures: u32,
    since: Option<Instant>,
}

impl Health {
    /// Takes note of how an attempt ended. True when the breaker opens.
    ///
    /// Silence costs a connection for the whole timeout, so a few are enough. Other failures cost little and may be about single
    /// deliveries, so it takes many of them, over some time.
    pub(super) fn ended(&mut self, sign: Sign, settings: BreakerSettings, now: Instant) -> bool {
        match sign {
            Sign::Nothing => return false,
            Sign::Well => {
                *self = Self::default();
                return false;
            }
            Sign::Silent => self.silent += 1,
            Sign::Failing | Sign::Overloaded(_) => self.silent = 0,
        }
        self.failures += 1;
        let since = *self.since.get_or_insert(now);
        let opens = self.silent >= settings.silent || (self.failures >= settings.failures && now.duration_since(since) >= settings.after);
        if opens {
            *self = Self::default();
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        silent: 3,
        failures: 5,
        after: Duration::from_secs(10),
        pause: Duration::from_secs(1),
        max_pause: Duration::from_secs(60),
    };

    /// At which of these signs, a second apart, the breaker opens.
    fn opens_at(signs: &[Sign]) -> Vec<usize> {
        let (mut health, start) = (Health::default(), Instant::now());
        let at = |second: usize| start + Duration::from_secs(second as u64);
        (0..signs.len()).filter(|second| health.ended(signs[*second], SETTINGS, at(*second))).collect()
    }

    #[test]
    fn a_few_silences_in_a_row_open_the_breaker_and_an_answer_interrupts_them() {
        use Sign::{Failing, Nothing, Silent, Well};
        assert_eq!(opens_at(&[Silent, Silent, Silent, Silent]), [2]);
        assert_eq!(opens_at(&[Silent, Silent, Well, Silent, Silent]), [0; 0]);
        assert_eq!(opens_at(&[Silent, Silent, Failing, Silent, Silent]), [0; 0]);
        assert_eq!(opens_at(&[Silent, Nothing, Silent, Nothing, Silent]), [4]);
    }

    #[test]
    fn answers_open_it_when_they_are_many_and_last_for_some_time() {
        use Sign::{Failing, Overloaded, Well};
        assert_eq!(opens_at(&[Failing; 12]), [10]);
        assert_eq!(opens_at(&[Overloaded(None); 12]), [10]);
        let mut once_well = [Failing; 12];
        once_well[5] = Well;
        assert_eq!(opens_at(&once_well), [0; 0]);
        let (mut health, now) = (Health::default(), Instant::now());
        assert!((0..1000).all(|_| !health.ended(Failing, SETTINGS, now)), "all in one moment");
    }
}
