//! What follows from a rate limit: how far apart slots are, how late they may be used, and when to come back for one.

use std::time::Duration;

use crate::model::endpoint::RateLimit;
use crate::pipeline::patience;

/// How far off a slot may be: what has one waits in memory. Twice as long as what comes back has until its place, so that being late for that
/// loses no slot.
const AHEAD: Duration = Duration::from_secs(2);
/// How long the line may be. What is parked does not know of a limit that is changed until it comes back.
pub(super) const LINE: Duration = Duration::from_secs(1800);
/// How late a slot may be used, at least: what a busy machine takes to send a request. Otherwise it is a hundredth of the window, so that with
/// what the way to the receiver adds no window gets two hundredths more than it should.
const UNSTEADY: Duration = Duration::from_millis(100);

/// A rate limit as slots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// From one slot to the next.
    pub(super) every: Duration,
    /// How far off a slot may be.
    pub(super) ahead: Duration,
    /// How late a slot may be used.
    pub(super) tolerance: Duration,
}

impl Rate {
    /// `most`: how many flights may wait for their slots.
    pub(super) fn of(limit: RateLimit, most: usize) -> Self {
        let window = Duration::from_secs_f64(limit.window);
        let every = window / limit.max_requests.max(1);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Self { every, ahead: every.checked_mul(most).map_or(AHEAD, |ahead| ahead.min(AHEAD)), tolerance: (window / 100).max(UNSTEADY) }
    }

    /// How many of `count` can have a slot at most.
    pub(super) fn slots(&self, count: usize) -> usize {
        let fit = self.ahead.as_nanos() / self.every.as_nanos().max(1) + 1;
        usize::try_from(fit).map_or(count, |fit| fit.min(count))
    }

    /// How long what has a place stays away. In steps, so that several come back together.
    pub(super) fn back_before(&self, place: Duration) -> Duration {
        let (lead, step) = (self.ahead / 2, (self.ahead / 8).as_nanos().max(1));
        let away = place.saturating_sub(lead);
        let beyond = u64::try_from(away.as_nanos() % step).unwrap_or_default();
        away - Duration::from_nanos(beyond)
    }
}

/// How long what has neither a slot nor a place stays away: a half to the whole of the line.
pub(super) fn much_later() -> Duration {
    patience::jittered(LINE * 3 / 4, 1.0 / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(max_requests: u32, window: f64) -> Rate {
        Rate::of(RateLimit { max_requests, window }, 1000)
    }

    #[test]
    fn slots_are_spread_evenly_over_the_window_and_few_enough_wait() {
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        for (limit, every, ahead, tolerance) in [
            (rate(200, 10.0), ms(50), AHEAD, UNSTEADY),
            (rate(1, 60.0), ms(60_000), AHEAD, ms(600)),
            (rate(1, 2.0), ms(2_000), AHEAD, UNSTEADY),
            (rate(500, 1.0), ms(2), AHEAD, UNSTEADY),
            (rate(10_000, 1.0), us(100), ms(100), UNSTEADY),
            (rate(u32::MAX, 0.001), Duration::ZERO, Duration::ZERO, UNSTEADY),
        ] {
            assert_eq!(limit, Rate { every, ahead, tolerance });
        }
    }

    #[test]
    fn as_many_slots_as_fit_are_counted_on() {
        assert_eq!((rate(200, 10.0).slots(1000), rate(200, 10.0).slots(7), rate(1, 60.0).slots(9)), (41, 7, 1));
        assert_eq!(rate(u32::MAX, 0.001).slots(9), 1);
    }

    #[test]
    fn what_has_a_place_is_back_before_it_and_together_with_its_neighbours() {
        let limit = rate(200, 10.0);
        let back = |ms| limit.back_before(Duration::from_millis(ms)).as_millis();
        assert_eq!([back(500), back(1_000), back(1_249), back(1_250), back(2_499), back(60_100)], [0, 0, 0, 250, 1_250, 59_000]);
    }

    #[test]
    fn what_has_no_place_is_back_within_the_line_and_not_at_once() {
        assert!(
            (0..1000)
                .map(|_| much_later())
                .all(|later| later >= LINE / 2 - Duration::from_secs(1) && later <= LINE + Duration::from_secs(1))
        );
    }
}
