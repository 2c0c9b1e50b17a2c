//! One lane per endpoint, each with its own cap and its fair turn, under one cap for all. What cannot have its turn soon is sent
//! away, onto the schedule: a lane holds no memory that others need.

mod gates;
mod health;
mod lane;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) use self::gates::News;
use self::gates::{Gates, Passage};
pub(super) use self::health::Sign;
use self::lane::Lane;
use super::flight::Flight;
use crate::config::{BreakerSettings, WorkerSettings};
use crate::ports::{Breakers, Pause, Wait};
use crate::sender::Target;

/// Lanes that are kept ready while nothing runs or waits in them.
const IDLE_LANES: usize = 1024;

/// A flight whose turn it is.
pub(super) struct Start {
    pub(super) flight: Flight,
    pub(super) target: Arc<Target>,
    pub(super) at: Instant,
}

/// A flight that is sent away for at least that long, and why.
pub(super) type Away = (Flight, Duration, Wait);

/// What came of an offer or a look.
#[derive(Default)]
pub(super) struct Turns {
    pub(super) starts: Vec<Start>,
    pub(super) away: Vec<Away>,
    /// Those that missed their slot, and need a new one.
    pub(super) late: Vec<Flight>,
}

pub(super) struct Lanes {
    state: Mutex<State>,
    /// Requests in flight to one endpoint at most, where it does not say otherwise.
    lane_limit: usize,
    breaker: BreakerSettings,
}

struct State {
    lanes: HashMap<i64, Lane>,
    /// Endpoints without a lane that did not answer when they had one. No more than there are endpoints.
    silent: HashSet<i64>,
    gates: Gates,
    /// Lanes that have a waiting flight and room for it, in the order of their turns; each is here at most once.
    turns: VecDeque<i64>,
    /// Lanes whose first request waits until less is in flight. They have a turn, and are not among the others.
    held: VecDeque<i64>,
    /// Requests in flight, and how many of them at most.
    in_flight: usize,
    limit: usize,
    /// Lanes in which something runs or waits.
    busy: usize,
    /// Requests in flight to endpoints that do not move.
    stuck: usize,
    /// Flights that waited for their turn when it was last looked.
    queued: usize,
    closed: bool,
    /// Flights that missed their slot, until somebody is told.
    late: Vec<Flight>,
}

/// Whether a lane may start a flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chance {
    Now,
    /// As soon as less is in flight. It has nothing in flight itself, and so no end of a flight that would give it another turn.
    Later,
    None,
}

impl State {
    /// Whether the lane may have one more of what all share. As long as half of it is free, each may have what it likes; after that
    /// each has its equal share; the last quarter is for those that move, and for the first request of each, but its last half is not for
    /// those of whom nothing is known yet; and all those that are stuck have a quarter together. So whatever hangs, and however many do, there
    /// is room for what does not.
    fn shares(&self, lane: &Lane) -> bool {
        if lane.stuck && self.stuck >= self.limit / 4 {
            return false;
        }
        let own = lane.in_flight();
        if self.busy <= 1 || self.in_flight * 2 < self.limit {
            return true;
        }
        // Of a few there is nothing to keep back.
        let kept_back = match () {
            () if self.limit < 32 => 0,
            () if own == 0 && lane.is_proven() => 0,
            () if own == 0 => self.limit / 8,
            () if lane.moves() => 0,
            () => self.limit / 4,
        };
        (own == 0 || own < self.limit / self.busy) && self.in_flight + kept_back < self.limit
    }

    fn chance(&self, id: i64, lane: &Lane, now: Instant) -> Chance {
        if lane.waiting.is_empty() || !lane.has_room() || !self.gates.lets_start(id, lane.in_flight(), now) {
            Chance::None
        } else if self.shares(lane) {
            Chance::Now
        } else if lane.in_flight() == 0 && !lane.stuck {
            Chance::Later
        } else {
            Chance::None
        }
    }

    /// For how long a lane is left alone that does not move and cannot have one more now.
    fn stuck_for(&self, id: i64, now: Instant) -> Option<Duration> {
        let lane = self.lanes.get(&id).filter(|lane| lane.stuck && !(lane.has_room() && self.shares(lane)))?;
        Some(lane.stuck_for(now))
    }

    fn give_turn(&mut self, id: i64, now: Instant) {
        let ready = |lane: &Lane| !lane.has_turn && self.chance(id, lane, now) != Chance::None;
        if self.lanes.get(&id).is_some_and(ready)
            && let Some(lane) = self.lanes.get_mut(&id)
        {
            lane.has_turn = true;
            // A slot is a moment: where others have their turns first, it would pass.
            if lane.is_urgent() {
                self.turns.push_front(id);
            } else {
                self.turns.push_back(id);
            }
        }
    }

    /// The lane whose turn it is. Those that are held all wait for the same, so the first of them stands for all.
    fn turn(&mut self) -> Option<i64> {
        let held = self.held.front().is_some_and(|id| self.lanes.get(id).is_none_or(|lane| self.shares(lane)));
        if held { self.held.pop_front() } else { self.turns.pop_front() }
    }

    fn next(&mut self, now: Instant) -> Option<Start> {
        while self.in_flight < self.limit && !self.closed {
            let id = self.turn()?;
            let chance = self.lanes.get(&id).map_or(Chance::None, |lane| self.chance(id, lane, now));
            if chance == Chance::Later {
                self.held.push_back(id);
                continue;
            }
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.has_turn = false;
            // Otherwise its own end of a flight, or the next look, gives it another turn.
            if chance == Chance::None {
                continue;
            }
            if let Some(flight) = lane.start(now, &mut self.late) {
                self.in_flight += 1;
                self.stuck += usize::from(lane.stuck);
                let target = Arc::clone(&lane.target);
                self.give_turn(id, now);
                return Some(Start { flight, target, at: now });
            }
            // All that waited was late.
            self.count(id);
        }
        None
    }

    fn starts(&mut self, now: Instant) -> Vec<Start> {
        std::iter::from_fn(|| self.next(now)).collect()
    }

    /// Counts the lane among the busy ones, or no longer.
    fn count(&mut self, id: i64) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let busy = !lane.is_idle();
        if busy && !lane.busy {
            self.busy += 1;
        } else if !busy && lane.busy {
            self.busy -= 1;
        }
        lane.busy = busy;
        if busy {
            return;
        }
        lane.shrink();
        if self.lanes.len() > IDLE_LANES
            && let Some(lane) = self.lanes.remove(&id)
            && lane.is_silent()
        {
            self.silent.insert(id);
        }
    }
}

impl Lanes {
    pub(super) fn new(worker: WorkerSettings, breaker: BreakerSettings) -> Self {
        let state = State {
            lanes: HashMap::new(),
            silent: HashSet::new(),
            gates: Gates::default(),
            turns: VecDeque::new(),
            held: VecDeque::new(),
            in_flight: 0,
            limit: worker.in_flight,
            busy: 0,
            stuck: 0,
            queued: 0,
            closed: false,
            late: Vec::new(),
        };
        Self { state: Mutex::new(state), lane_limit: worker.endpoint_in_flight, breaker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes flights in, and answers those whose turn it is now, and those that are sent away: their endpoint is left alone, does
    /// not move, or takes little and has enough waiting, or they need a new slot. After [`Lanes::close`] all of them are sent away.
    pub(super) fn offer(&self, flights: Vec<Flight>) -> Turns {
        let mut state = self.state();
        let mut turns = Turns::default();
        let now = Instant::now();
        for flight in flights {
            let id = flight.endpoint.id;
            if state.closed {
                turns.away.push((flight, Duration::ZERO, Wait::Stopping));
                continue;
            }
            if let Passage::Shut(rest, why) = state.gates.passage(id, now) {
                turns.away.push((flight, rest, why));
                continue;
            }
            let State { lanes, silent, .. } = &mut *state;
            let lane = lanes.entry(id).or_insert_with(|| Lane::new(Arc::clone(&flight.endpoint), self.lane_limit, silent.remove(&id)));
            lane.follow(&flight.endpoint, self.lane_limit);
            let full = lane.turns_away(now).map(|wait| (wait, Wait::Busy));
            if let Some((wait, why)) = full.or_else(|| Some((state.stuck_for(id, now)?, Wait::Stuck))) {
                turns.away.push((flight, wait, why));
                continue;
            }
            if let Some(lane) = state.lanes.get_mut(&id) {
                lane.waiting.push_back((now, flight));
            }
            state.count(id);
            state.give_turn(id, now);
        }
        turns.starts = state.starts(now);
        turns.late = std::mem::take(&mut state.late);
        turns
    }

    /// For how long flights of that endpoint would be sent away if they were offered, and why; `None` if they would not.
    pub(super) fn left_alone(&self, endpoint_id: i64) -> Option<(Duration, Wait)> {
        let (state, now) = (self.state(), Instant::now());
        match state.gates.passage(endpoint_id, now) {
            Passage::Shut(rest, why) => Some((rest, why)),
            Passage::Open => Some((state.stuck_for(endpoint_id, now)?, Wait::Stuck)),
        }
    }

    /// Ends a flight of that endpoint, which was started then, and answers the one whose turn it is now.
    pub(super) fn finish(&self, endpoint_id: i64, started: Instant, sign: Sign) -> Option<Start> {
        let mut state = self.state();
        let state = &mut *state;
        let now = Instant::now();
        state.in_flight -= 1;
        if let Some(lane) = state.lanes.get_mut(&endpoint_id) {
            state.stuck = state.stuck.saturating_sub(usize::from(lane.stuck));
            let opens = lane.end(started, sign, self.breaker, now);
            let again = state.gates.ended(endpoint_id, sign, opens, self.breaker, now);
            if again {
                lane.begin_slowly();
            }
            state.count(endpoint_id);
            state.give_turn(endpoint_id, now);
        }
        state.next(now)
    }

    /// Looks how the lanes move, and answers what may start now, and what is sent away: all that waits where the oldest flight has
    /// waited for `patience`, where nothing moves, or where the endpoint is left alone; and what needs a new slot. `since` is how long ago it was called last.
    pub(super) fn look(&self, patience: Duration, since: Duration) -> Turns {
        let mut state = self.state();
        let state = &mut *state;
        let mut turns = Turns::default();
        let now = Instant::now();
        (state.stuck, state.queued) = (0, 0);
        let mut waiting = Vec::new();
        for (id, lane) in &mut state.lanes {
            lane.look(now, since);
            state.stuck += if lane.stuck { lane.in_flight() } else { 0 };
            match state.gates.passage(*id, now) {
                Passage::Shut(rest, why) => turns.away.extend(lane.waiting.drain(..).map(|(_, flight)| (flight, rest, why))),
                Passage::Open => {
                    // Its probe: gone for as long as the lane has not moved, it might miss the moment at which one is asked for again and again.
                    let kept = usize::from(state.gates.wants_a_probe(*id, lane.in_flight(), now));
                    turns.away.extend(lane.take_stalled(kept, now, patience));
                }
            }
            state.queued += lane.waiting.len();
            if lane.busy {
                waiting.push(*id);
            }
        }
        for id in waiting {
            state.count(id);
            state.give_turn(id, now);
        }
        turns.starts = state.starts(now);
        turns.late = std::mem::take(&mut state.late);
        turns
    }

    /// What this process found out about endpoints since it was asked last.
    pub(super) fn news(&self) -> Vec<News> {
        self.state().gates.take_news()
    }

    /// Broken endpoints whose pause is over and for which something waits here, with the timeout of a request to them.
    pub(super) fn to_be_probed(&self) -> Vec<(i64, Duration)> {
        let state = self.state();
        let now = Instant::now();
        let waits = |id: &i64| state.lanes.get(id).filter(|lane| !lane.waiting.is_empty()).map(|lane| (*id, lane.timeout()));
        state.gates.to_be_probed(now).filter_map(|id| waits(&id)).collect()
    }

    /// Lets one request through to an endpoint whose pause is over; how it ends decides.
    pub(super) fn probe(&self, endpoint_id: i64) -> Vec<Start> {
        let mut state = self.state();
        let now = Instant::now();
        state.gates.probe(endpoint_id);
        state.give_turn(endpoint_id, now);
        state.starts(now)
    }

    /// Replaces what was known of the pauses that all processes share.
    pub(super) fn follow(&self, pauses: &[Pause]) {
        let mut state = self.state();
        let state = &mut *state;
        for id in state.gates.follow(pauses, Instant::now()) {
            if let Some(lane) = state.lanes.get_mut(&id) {
                lane.begin_slowly();
            }
        }
    }

    /// Endpoints that are left alone because they are broken.
    pub(super) fn broken(&self) -> Vec<i64> {
        self.state().gates.broken()
    }

    /// How many endpoints are left alone.
    pub(super) fn breakers(&self) -> Breakers {
        self.state().gates.states(Instant::now())
    }

    /// Takes out all that waits in one endpoint's lane.
    pub(super) fn take(&self, endpoint_id: i64) -> Vec<Flight> {
        let mut state = self.state();
        let waiting = state.lanes.get_mut(&endpoint_id).map(|lane| std::mem::take(&mut lane.waiting));
        state.count(endpoint_id);
        let late: Vec<_> = state.late.extract_if(.., |flight| flight.endpoint.id == endpoint_id).collect();
        waiting.into_iter().flatten().map(|(_, flight)| flight).chain(late).collect()
    }

    /// Lets nothing more start.
    pub(super) fn shut(&self) {
        self.state().closed = true;
    }

    /// Lets nothing more start, and answers all that waited.
    pub(super) fn close(&self) -> Vec<Flight> {
        let mut state = self.state();
        state.closed = true;
        state.turns.clear();
        state.held.clear();
        let late = std::mem::take(&mut state.late);
        state.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).map(|(_, flight)| flight).chain(late).collect()
    }

    /// How many requests are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// How many requests are in flight, and how many flights waited for their turn when [`Lanes::look`] was called last.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.in_flight, state.queued)
    }
}
