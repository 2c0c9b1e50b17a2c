//! Which endpoints are left alone, and the slots of rate limits. In memory, as Redis has it: one process has the file.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use crate::backends::sqlite::Sqlite;
use crate::model::clock::{self, micros};
use crate::ports::{Ask, BackendError, Given, NewPause, Pacing, Pause, Pauses, Why};

/// From so many on it is worth looking for limits that no longer matter.
const MANY_LIMITS: usize = 1000;

#[async_trait]
impl Pacing for Sqlite {
    async fn pause(&self, pauses: &[NewPause]) -> Result<(), BackendError> {
        self.book().paced.pause(now(), pauses);
        Ok(())
    }

    async fn probe(&self, endpoint_id: i64, lasts: Duration) -> Result<bool, BackendError> {
        Ok(self.book().paced.probe(now(), endpoint_id, lasts))
    }

    async fn recovered(&self, endpoints: &[i64]) -> Result<(), BackendError> {
        self.book().paced.recovered(now(), endpoints);
        Ok(())
    }

    async fn pauses(&self, known: u64) -> Result<Option<Pauses>, BackendError> {
        Ok(self.book().paced.pauses(now(), known))
    }

    async fn slots(&self, asks: &[Ask]) -> Result<Vec<Given>, BackendError> {
        Ok(self.book().paced.slots(now(), asks))
    }
}

/// Microseconds since 1970, as all times here.
fn now() -> u64 {
    u64::try_from(clock::now().timestamp_micros()).unwrap_or_default()
}

#[derive(Debug)]
struct Broken {
    ends: u64,
    times: u32,
    probing: bool,
}

#[derive(Debug, Default)]
pub(super) struct Paced {
    /// 0 before the first pause.
    revision: u64,
    broken: BTreeMap<i64, Broken>,
    /// With the ends of their pauses.
    slowed: BTreeMap<i64, u64>,
    limits: HashMap<i64, Limit>,
    /// How many limits there may be before those that no longer matter are looked for.
    limits_room: usize,
}

/// What was given last of an endpoint's rate limit.
#[derive(Debug, Default)]
struct Limit {
    slot: Option<Last>,
    place: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: u64,
    /// When the next one is free, by the rate that it was given with.
    matters_until: u64,
}

impl Limit {
    fn matters(&self, now: u64) -> bool {
        [self.slot, self.place].into_iter().flatten().any(|last| last.matters_until > now)
    }
}

impl Paced {
    pub(super) fn pause(&mut self, now: u64, pauses: &[NewPause]) {
        let mut any = false;
        for pause in pauses {
            any |= match *pause {
                NewPause::Broken { endpoint_id, first, max } => self.pause_broken(now, endpoint_id, micros(first), micros(max)),
                NewPause::Slowed { endpoint_id, lasts } => self.pause_slowed(endpoint_id, now + micros(lasts)),
            };
        }
        if any {
            self.changed(now);
        }
    }

    fn pause_broken(&mut self, now: u64, endpoint_id: i64, first: u64, max: u64) -> bool {
        let broken = self.broken.entry(endpoint_id).or_insert(Broken { ends: 0, times: 0, probing: false });
        let again = broken.ends <= now || broken.probing;
        if again {
            let doubled = first.saturating_mul(1_u64.checked_shl(broken.times).unwrap_or(u64::MAX));
            *broken = Broken { ends: now + doubled.min(max), times: broken.times.saturating_add(1), probing: false };
        }
        again
    }

    fn pause_slowed(&mut self, endpoint_id: i64, ends: u64) -> bool {
        let slowed = self.slowed.entry(endpoint_id).or_default();
        let longer = *slowed < ends;
        *slowed = ends.max(*slowed);
        longer
    }

    pub(super) fn probe(&mut self, now: u64, endpoint_id: i64, lasts: Duration) -> bool {
        let Some(broken) = self.broken.get_mut(&endpoint_id).filter(|broken| broken.ends <= now) else { return false };
        (broken.ends, broken.probing) = (now + micros(lasts), true);
        self.changed(now);
        true
    }

    pub(super) fn recovered(&mut self, now: u64, endpoints: &[i64]) {
        let mended = endpoints.iter().filter(|endpoint_id| self.broken.remove(endpoint_id).is_some()).count();
        if mended > 0 {
            self.changed(now);
        }
    }

    pub(super) fn pauses(&mut self, now: u64, known: u64) -> Option<Pauses> {
        self.slowed.retain(|_, ends| *ends > now);
        let nothing = self.broken.is_empty() && self.slowed.is_empty();
        let revision = if nothing { Pauses::NOTHING } else { self.revision };
        if revision == known {
            return None;
        }
        let broken = self.broken.iter().map(|(&endpoint_id, broken)| {
            let lasts = Duration::from_micros(broken.ends.saturating_sub(now));
            Pause { endpoint_id, why: Why::Broken, lasts, probing: broken.probing && !lasts.is_zero(), times: broken.times }
        });
        let slowed = self.slowed.iter().map(|(&endpoint_id, ends)| {
            let lasts = Duration::from_micros(ends - now);
            Pause { endpoint_id, why: Why::Slowed, lasts, probing: false, times: 0 }
        });
        let mut paused: Vec<_> = broken.chain(slowed).collect();
        paused.sort_unstable_by_key(|pause| (pause.endpoint_id, pause.why));
        Some(Pauses { revision, paused })
    }

    pub(super) fn slots(&mut self, now: u64, asks: &[Ask]) -> Vec<Given> {
        let answers = asks.iter().map(|ask| self.give(now, ask)).collect();
        if self.limits.len() > self.limits_room.max(MANY_LIMITS) {
            self.limits.retain(|_, limit| limit.matters(now));
            // Half full at most, so that looking through all of them costs each call next to nothing.
            self.limits_room = self.limits.len() * 2;
        }
        answers
    }

    fn give(&mut self, now: u64, ask: &Ask) -> Given {
        let every = micros(ask.every).max(1);
        let limit = self.limits.entry(ask.endpoint_id).or_default();
        let known = |last: Option<Last>| last.filter(|last| last.matters_until > now).map(|last| last.at);
        let (last_slot, last_place) = (known(limit.slot), known(limit.place));
        let ahead = now + micros(ask.ahead);
        let mut next = last_slot.map_or(now, |last| now.max(last + every));
        let take = |last: &mut Option<Last>, next: &mut u64, most: usize, end: u64| {
            let mut taken = Vec::new();
            while *next <= end && taken.len() < most {
                taken.push(Duration::from_micros(*next - now));
                *last = Some(Last { at: *next, matters_until: *next + every });
                *next += every;
            }
            taken
        };
        let overtakes = ask.newcomers && last_place.is_some_and(|last| last > ahead);
        let count = ask.count as usize;
        let slots = if overtakes { Vec::new() } else { take(&mut limit.slot, &mut next, count, ahead) };
        let mut next = last_place.map_or(next, |last| next.max(last + every));
        let places = take(&mut limit.place, &mut next, count - slots.len(), now + micros(ask.line));
        Given { slots, places }
    }

    /// Later than every revision before, also than those of an earlier process.
    fn changed(&mut self, now: u64) {
        self.revision = now.max(self.revision + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_763_757_000_000_000;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(seconds: u64) -> u64 {
        NOW + micros(secs(seconds))
    }

    fn broken(first: u64, max: u64) -> NewPause {
        NewPause::Broken { endpoint_id: 7, first: secs(first), max: secs(max) }
    }

    fn slowed(endpoint_id: i64, lasts: u64) -> NewPause {
        NewPause::Slowed { endpoint_id, lasts: secs(lasts) }
    }

    /// Each pause's endpoint, the seconds that are left, whether it is being probed, and times.
    fn all(paced: &mut Paced, now: u64) -> Vec<(i64, u64, bool, u32)> {
        let paused = paced.pauses(now, 0).expect("0 gets all").paused;
        paused.iter().map(|pause| (pause.endpoint_id, pause.lasts.as_secs(), pause.probing, pause.times)).collect()
    }

    #[test]
    fn a_pause_doubles_each_time_until_it_is_at_its_most() {
        let mut paced = Paced::default();
        let mut now = NOW;
        for (times, expected) in (1..100).zip([10, 20, 40, 80].into_iter().chain(std::iter::repeat(100))) {
            paced.pause(now, &[broken(10, 100)]);
            assert_eq!(all(&mut paced, now), [(7, expected, false, times)]);
            paced.pause(now + 1, &[broken(10, 100)]);
            assert_eq!(all(&mut paced, now), [(7, expected, false, times)], "it still lasts");
            now += micros(secs(expected));
        }
    }

    #[test]
    fn a_probe_is_one_callers_until_it_is_over() {
        let mut paced = Paced::default();
        assert!(!paced.probe(NOW, 7, secs(5)));
        paced.pause(NOW, &[broken(10, 100)]);
        assert!(!paced.probe(at(10) - 1, 7, secs(5)));
        assert!(paced.probe(at(10), 7, secs(5)));
        assert!(!paced.probe(at(15) - 1, 7, secs(5)));
        assert_eq!(all(&mut paced, at(12)), [(7, 3, true, 1)]);
        assert_eq!(all(&mut paced, at(15)), [(7, 0, false, 1)]);
        assert!(paced.probe(at(15), 7, secs(5)));
        paced.pause(at(16), &[broken(10, 100)]);
        assert_eq!(all(&mut paced, at(16)), [(7, 20, false, 2)]);
    }

    #[test]
    fn a_slowing_only_grows_and_is_forgotten_when_it_is_over() {
        let mut paced = Paced::default();
        paced.pause(NOW, &[slowed(7, 10), slowed(7, 5), slowed(8, 20)]);
        assert_eq!(all(&mut paced, NOW), [(7, 10, false, 0), (8, 20, false, 0)]);
        assert_eq!(all(&mut paced, at(10)), [(8, 10, false, 0)]);
        paced.pauses(at(20), 0);
        assert!(paced.slowed.is_empty());
    }

    #[test]
    fn a_revision_is_later_than_all_before_even_when_the_clock_is_not() {
        let mut paced = Paced::default();
        let mut before = Pauses::NOTHING;
        for (now, lasts) in [at(0), at(0), at(5), at(3), at(3)].into_iter().zip([10, 20, 30, 40, 50]) {
            paced.pause(now, &[slowed(7, lasts)]);
            let revision = paced.pauses(now, 0).expect("all").revision;
            assert!(revision > before, "{revision} after {before}");
            assert_eq!(paced.pauses(now, revision), None);
            before = revision;
        }
        assert_eq!(paced.pauses(at(53), before), Some(Pauses { revision: Pauses::NOTHING, paused: vec![] }));
    }

    #[test]
    fn slots_are_every_apart_and_a_last_one_counts_until_the_next_is_free() {
        let mut paced = Paced::default();
        let mut take = |now, every, count| {
            let ask = Ask { endpoint_id: 7, every: secs(every), count, ahead: secs(100), line: secs(0), newcomers: true };
            paced.slots(now, &[ask])[0].slots.iter().map(Duration::as_secs).collect::<Vec<_>>()
        };
        assert_eq!(take(NOW, 40, 9), [0, 40, 80]);
        assert_eq!(take(at(19), 40, 9), Vec::<u64>::new());
        assert_eq!(take(at(20), 40, 9), [100]);
        assert_eq!(take(at(121), 10, 2), [9, 19]);
        assert_eq!(take(at(150), 10, 1), [0]);
    }

    #[test]
    fn what_gets_no_slot_gets_a_place_and_newcomers_overtake_nobody() {
        let mut paced = Paced::default();
        let mut ask = |now, count, newcomers| {
            let ask = Ask { endpoint_id: 7, every: secs(10), count, ahead: secs(20), line: secs(100), newcomers };
            let given = paced.slots(now, &[ask]).remove(0);
            let seconds = |all: Vec<Duration>| all.iter().map(Duration::as_secs).collect::<Vec<_>>();
            (seconds(given.slots), seconds(given.places))
        };
        assert_eq!(ask(NOW, 5, true), (vec![0, 10, 20], vec![30, 40]));
        assert_eq!(ask(at(5), 2, true), (vec![], vec![45, 55]), "the line ends at 60");
        assert_eq!(ask(at(10), 3, false), (vec![20], vec![60, 70]), "the line ends at 80");
        assert_eq!(ask(at(10), 9, true), (vec![], vec![80, 90, 100]), "and is full at 110");
        assert_eq!(ask(at(100), 2, true), (vec![0, 10], vec![]));
        assert_eq!(ask(at(100), 2, true), (vec![20], vec![30]));
    }

    #[test]
    fn limits_that_no_longer_matter_are_forgotten() {
        let mut paced = Paced::default();
        for id in 0..50_000 {
            let ask = Ask { endpoint_id: id, every: secs(1), count: 2, ahead: secs(0), line: secs(1), newcomers: true };
            paced.slots(at(u64::try_from(id).expect("positive") / 100), &[ask]);
        }
        assert!(paced.limits.len() <= MANY_LIMITS + 1, "{}", paced.limits.len());
    }
}
