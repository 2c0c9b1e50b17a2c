//! When what was sent away comes back: the deliveries of one endpoint in a line, so that a backlog costs a bounded number of claims a
//! second, however large it is and however long its endpoint stays away.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::patience;

/// How far apart the deliveries of one endpoint come back: a thousand a second.
const APART: Duration = Duration::from_millis(1);
/// The line is no longer than this.
const LONGEST: Duration = Duration::from_secs(1800);
/// Deliveries come back over at least so long, so that those of several endpoints do not meet.
const SPREAD: Duration = Duration::from_secs(2);

/// Where the line of each endpoint ends. Only endpoints whose line ends in the future are kept for long.
#[derive(Default)]
pub(super) struct Returns {
    ends: HashMap<i64, Instant>,
    /// How many lines make it worth looking for those that are over.
    many: usize,
}

impl Returns {
    /// In how long a delivery comes back that is sent away for at least `wait`. With nothing to wait for, it is for others to take up at once.
    ///
    /// A few come back within twice the wait. What finds the line full comes back in the later half of it, at random: those have no order, but their
    /// endpoint need not stay away until all are through.
    pub(super) fn next(&mut self, endpoint_id: i64, wait: Duration, now: Instant) -> Duration {
        if wait.is_zero() {
            return wait;
        }
        self.forget(now);
        let earliest = now + wait;
        let end = self.ends.get(&endpoint_id).map_or(earliest, |end| (*end + APART).max(earliest));
        let spread = patience::jittered(wait.max(SPREAD) / 2, 1.0);
        if end.duration_since(earliest) > LONGEST {
            return wait + patience::jittered(LONGEST * 3 / 4, 1.0 / 3.0) + spread;
        }
        self.ends.insert(endpoint_id, end);
        end.duration_since(now) + spread
    }

    /// Lines that are over say nothing; looking through all of them is paid for by as many that were added.
    fn forget(&mut self, now: Instant) {
        if self.ends.len() > self.many {
            self.ends.retain(|_, end| *end > now);
            self.many = self.ends.len() * 2 + 1024;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent_away(returns: &mut Returns, count: usize, wait: Duration, now: Instant) -> Vec<Duration> {
        let mut waits: Vec<_> = (0..count).map(|_| returns.next(7, wait, now)).collect();
        waits.sort_unstable();
        waits
    }

    /// The most that come back in any one second.
    fn busiest_second(sorted: &[Duration]) -> usize {
        (0..sorted.len())
            .step_by(100)
            .map(|first| sorted[first..].partition_point(|wait| *wait < sorted[first] + SECOND))
            .max()
            .unwrap_or_default()
    }

    #[test]
    fn a_few_come_back_soon_after_the_pause() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        let waits = sent_away(&mut returns, 50, 10 * SECOND, now);
        assert!(waits[0] >= 10 * SECOND && waits[49] < 21 * SECOND, "{waits:?}");
        assert!(waits[49] - waits[0] > SECOND, "not all at once: {waits:?}");
        assert_eq!(returns.next(7, Duration::ZERO, now), Duration::ZERO);
    }

    #[test]
    fn however_many_there_are_a_bounded_number_comes_back_in_each_second() {
        let now = Instant::now();
        let waits = sent_away(&mut Returns::default(), 30_000, 10 * SECOND, now);
        assert!(waits[0] >= 10 * SECOND && waits[29_999] < 60 * SECOND, "{:?}", waits[29_999]);
        assert!(busiest_second(&waits) < 1500, "{}", busiest_second(&waits));
    }

    #[test]
    fn what_finds_the_line_full_comes_back_in_the_later_half_of_it() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        returns.ends.insert(7, now + LONGEST + 11 * SECOND);
        let waits = sent_away(&mut returns, 30_000, 10 * SECOND, now);
        assert!(waits[0] >= LONGEST / 2 && waits[29_999] < LONGEST + 30 * SECOND, "{:?} {:?}", waits[0], waits[29_999]);
        assert!(busiest_second(&waits) < 100, "{}", busiest_second(&waits));
        assert_eq!(returns.ends[&7], now + LONGEST + 11 * SECOND, "the line grows no longer");
    }

    #[test]
    fn what_comes_back_and_is_sent_away_again_goes_to_the_end_of_the_line() {
        let (mut returns, start) = (Returns::default(), Instant::now());
        sent_away(&mut returns, 20_000, SECOND, start);
        let again = sent_away(&mut returns, 100, SECOND, start + 10 * SECOND);
        assert!(again[0] >= 11 * SECOND, "behind the twenty seconds that are there: {:?}", again[0]);
    }

    #[test]
    fn endpoints_do_not_wait_for_one_another_and_lines_that_are_over_are_forgotten() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        sent_away(&mut returns, 20_000, SECOND, now);
        assert!(returns.next(8, SECOND, now) < 4 * SECOND);
        for id in 100..10_000 {
            returns.next(id, SECOND, now + 300 * SECOND * u32::try_from(id).unwrap());
        }
        assert!(returns.ends.len() < 1100, "{}", returns.ends.len());
    }
}
