//! One endpoint's lane: what waits, what runs, and how much may run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Away;
use super::health::{Health, Sign};
use crate::config::BreakerSettings;
use crate::model::endpoint::Endpoint;
use crate::pipeline::flight::Flight;
use crate::ports::Wait;
use crate::sender::Target;

/// A lane whose oldest request has run for so long, without a success meanwhile, does not move.
const STUCK: Duration = Duration::from_secs(1);
/// One whose oldest request has run for so long, without a success meanwhile, may get stuck, and takes little more before that is known.
const HESITATING: Duration = Duration::from_millis(200);
/// How many turns of its lane, or seconds, a flight is sent away for at most.
const MOST_TURNS: u32 = 300;
/// A flight of a lane that does not move is sent away for no longer than this, or for as long as the lane has not moved.
const NOT_MOVING: Duration = Duration::from_secs(10);

/// Room for so many flights is kept where none waits.
const ROOM_KEPT: usize = 16;
/// So many turns of a lane that is slowed down wait in it.
const TURNS_KEPT: usize = 8;

pub(super) struct Lane {
    endpoint: Arc<Endpoint>,
    pub(super) target: Arc<Target>,
    pub(super) waiting: VecDeque<(Instant, Flight)>,
    /// When each running request was started, oldest first.
    running: VecDeque<Instant>,
    cap: usize,
    /// How many may run as long as it behaves as it does: halved by each bad sign, and one more for each success.
    allowed: usize,
    pub(super) has_turn: bool,
    /// Whether it is counted among those where something runs or waits.
    pub(super) busy: bool,
    pub(super) stuck: bool,
    /// Whether the last that is known of it is that it did not answer.
    silent: bool,
    health: Health,
    last_well: Option<Instant>,
    /// Flights that ended since the lane was looked at last, and how many end in a second.
    ended: u32,
    pace: f64,
}

impl Lane {
    /// `silent`: its endpoint did not answer when it had a lane before.
    pub(super) fn new(endpoint: Arc<Endpoint>, lane_limit: usize, silent: bool) -> Self {
        // What is written down of it all workers found out: nothing succeeded for a minute or more.
        let silent = silent || endpoint.failing_since.is_some();
        let target = Arc::new(Target::new(&endpoint));
        let cap = cap(&endpoint, lane_limit);
        Self {
            endpoint,
            target,
            waiting: VecDeque::new(),
            running: VecDeque::new(),
            cap,
            allowed: cap,
            has_turn: false,
            busy: false,
            stuck: silent,
            silent,
            health: Health::default(),
            last_well: None,
            ended: 0,
            pace: 0.0,
        }
    }

    /// An endpoint that was changed is sent to as it is now.
    pub(super) fn follow(&mut self, endpoint: &Arc<Endpoint>, lane_limit: usize) {
        if !Arc::ptr_eq(&self.endpoint, endpoint) && self.endpoint.updated_at <= endpoint.updated_at {
            self.endpoint = Arc::clone(endpoint);
            self.target = Arc::new(Target::new(endpoint));
            self.cap = cap(endpoint, lane_limit);
            self.allowed = self.allowed.clamp(1, self.cap);
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.endpoint.spec.timeout
    }

    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// Whether it may run one more, as far as it is concerned.
    pub(super) fn has_room(&self) -> bool {
        self.running.len() < self.allowed.min(self.cap)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Gives back the room that a burst has left: thousands of lanes are kept.
    pub(super) fn shrink(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > ROOM_KEPT {
            self.waiting = VecDeque::new();
        }
    }

    /// Whether the one whose turn is next has a slot of a rate limit, which does not wait.
    pub(super) fn is_urgent(&self) -> bool {
        self.waiting.front().is_some_and(|(_, flight)| flight.slot.is_some())
    }

    /// Takes out the flight whose turn it is, and before it those that need a new slot: theirs is over, or they have none and the endpoint was
    /// given a rate limit meanwhile.
    pub(super) fn start(&mut self, now: Instant, late: &mut Vec<Flight>) -> Option<Flight> {
        let limited = self.endpoint.spec.rate_limit.is_some();
        while let Some((_, flight)) = self.waiting.pop_front() {
            if flight.slot.map_or(!limited, |slot| now <= slot.latest) {
                self.running.push_back(now);
                return Some(flight);
            }
            late.push(flight);
        }
        None
    }

    /// Ends a request that was started then. True when the breaker opens.
    pub(super) fn end(&mut self, started: Instant, sign: Sign, settings: BreakerSettings, now: Instant) -> bool {
        if let Ok(place) = self.running.binary_search(&started) {
            self.running.remove(place);
        }
        self.ended += 1;
        match sign {
            Sign::Well => {
                self.last_well = Some(now);
                self.allowed = (self.allowed + 1).min(self.cap);
            }
            Sign::Overloaded(_) | Sign::Silent => self.allowed = (self.allowed / 2).max(1),
            Sign::Failing | Sign::Nothing => {}
        }
        match sign {
            // One that was slow among others that were not says nothing.
            Sign::Silent => self.silent |= self.last_well.is_none_or(|well| well < started),
            Sign::Well | Sign::Failing | Sign::Overloaded(_) => self.silent = false,
            Sign::Nothing => {}
        }
        self.stuck = self.silent || (self.stuck && sign != Sign::Well);
        self.health.ended(sign, settings, now)
    }

    /// Begins anew, one request at a time, after a pause.
    pub(super) fn begin_slowly(&mut self) {
        self.allowed = 1;
    }

    /// For how long a flight that comes now is sent away: its endpoint takes less than it might, or does not move yet, and enough for it waits
    /// here. What waits is held in memory that the others need: ten lanes that fill up until they count as stuck would leave a full queue
    /// hardly any.
    pub(super) fn turns_away(&self, now: Instant) -> Option<Duration> {
        let place = self.waiting.len();
        let slowed_down = self.allowed < self.cap && place >= self.allowed * TURNS_KEPT;
        let hesitates = place >= (self.cap / 2).max(ROOM_KEPT) && !self.moves() && self.oldest_runs_for(now) >= HESITATING;
        (slowed_down || hesitates).then(|| until_turn(place, self.allowed, self.pace, STUCK))
    }

    /// Looks how it moves; `since` is how long ago that was done last.
    pub(super) fn look(&mut self, now: Instant, since: Duration) {
        // Half of what it was, half of what it is: one slow quarter of a second is not yet a slow receiver.
        self.pace = f64::midpoint(self.pace, f64::from(std::mem::take(&mut self.ended)) / since.as_secs_f64().max(0.001));
        self.stuck = self.silent || (!self.moves() && self.oldest_runs_for(now) >= STUCK);
    }

    /// Whether something succeeded since its oldest request was started.
    pub(super) fn moves(&self) -> bool {
        self.running.front().is_none_or(|start| self.last_well.is_some_and(|well| well >= *start))
    }

    /// Whether anything succeeded since there is this lane, and it answered the last time.
    pub(super) fn is_proven(&self) -> bool {
        self.last_well.is_some() && !self.stuck
    }

    /// Whether its endpoint did not answer, which is to be remembered when the lane is not.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    fn oldest_runs_for(&self, now: Instant) -> Duration {
        self.running.front().map(|start| now.duration_since(*start)).unwrap_or_default()
    }

    /// For how long a lane that is stuck is left alone: as long as it has not moved. One that has nothing running waits for others of its
    /// kind to end.
    pub(super) fn stuck_for(&self, now: Instant) -> Duration {
        if self.running.is_empty() { NOT_MOVING } else { self.oldest_runs_for(now).max(STUCK) }
    }

    /// Takes out all that waits but for the first `kept`, if the oldest has waited for `patience` or the lane does not move. With each comes how
    /// long it will take, at the lane's pace, until its turn.
    pub(super) fn take_stalled(&mut self, kept: usize, now: Instant, patience: Duration) -> Vec<Away> {
        let waited = self.waiting.front().map(|(since, _)| now.duration_since(*since)).unwrap_or_default();
        if self.waiting.len() <= kept || (waited < patience && !self.stuck) {
            return Vec::new();
        }
        let (cap, pace, stuck_for) = (self.cap, self.pace, if self.stuck { self.stuck_for(now) } else { waited });
        let why = if self.stuck { Wait::Stuck } else { Wait::Busy };
        self.waiting.drain(kept..).enumerate().map(|(place, (_, flight))| (flight, until_turn(place, cap, pace, stuck_for), why)).collect()
    }
}

/// How long the flight at `place` of a lane waits for its turn. Where next to nothing ended lately, a turn takes at least as long as the
/// first one has waited.
#[expect(clippy::cast_precision_loss, reason = "a guess needs no more than 53 bits")]
fn until_turn(place: usize, cap: usize, pace: f64, waited: Duration) -> Duration {
    let turns = || u32::try_from(1 + place / cap).unwrap_or(u32::MAX).min(MOST_TURNS);
    // How long it has not moved is the best guess at how long it will not: what would come back minutes after it moves again is late.
    if pace < 1.0 {
        (waited * turns()).min(waited.max(NOT_MOVING))
    } else {
        Duration::from_secs_f64((place as f64 / pace).min(f64::from(MOST_TURNS)))
    }
}

fn cap(endpoint: &Endpoint, lane_limit: usize) -> usize {
    endpoint.spec.in_flight.map_or(lane_limit, |own| own as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_as_far_off_as_the_pace_says_and_where_nothing_moves_no_further_than_it_has_not() {
        let seconds = Duration::from_secs;
        assert_eq!(until_turn(200, 32, 10.0, seconds(1)), seconds(20));
        assert_eq!(until_turn(100_000, 32, 10.0, seconds(1)), seconds(300));
        assert_eq!(until_turn(0, 32, 0.0, seconds(2)), seconds(2));
        assert_eq!(until_turn(2000, 32, 0.0, seconds(2)), NOT_MOVING);
        assert_eq!(until_turn(2000, 32, 0.0, seconds(25)), seconds(25));
    }
}
