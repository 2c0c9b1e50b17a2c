//! One lane per endpoint, each with its own cap and its fair turn, under one cap for all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::flight::Flight;
use crate::model::endpoint::Endpoint;
use crate::sender::Target;

/// Lanes that are kept ready while nothing runs or waits in them.
const IDLE_LANES: usize = 4096;

/// How many turns of its lane, or seconds, a flight is sent away for at most.
const MOST_TURNS: u32 = 300;

/// A flight whose turn it is.
pub(super) type Start = (Flight, Arc<Target>);

pub(super) struct Lanes {
    state: Mutex<State>,
    /// Requests in flight at most, and to one endpoint where it does not say otherwise.
    limit: usize,
    lane_limit: usize,
}

#[derive(Default)]
struct State {
    lanes: HashMap<i64, Lane>,
    /// Lanes that have a waiting flight and room for it, in the order of their turns; each is here at most once.
    turns: VecDeque<i64>,
    in_flight: usize,
    closed: bool,
}

struct Lane {
    endpoint: Arc<Endpoint>,
    target: Arc<Target>,
    waiting: VecDeque<(Instant, Flight)>,
    in_flight: usize,
    cap: usize,
    has_turn: bool,
    /// Flights that ended since the lane was looked at last, and how many end in a second.
    ended: u32,
    pace: f64,
}

impl Lane {
    fn new(endpoint: Arc<Endpoint>, lane_limit: usize) -> Self {
        let target = Arc::new(Target::new(&endpoint));
        let cap = cap(&endpoint, lane_limit);
        Self { endpoint, target, waiting: VecDeque::new(), in_flight: 0, cap, has_turn: false, ended: 0, pace: 0.0 }
    }

    /// An endpoint that was changed is sent to as it is now.
    fn follow(&mut self, endpoint: &Arc<Endpoint>, lane_limit: usize) {
        if !Arc::ptr_eq(&self.endpoint, endpoint) && self.endpoint.updated_at <= endpoint.updated_at {
            self.endpoint = Arc::clone(endpoint);
            self.target = Arc::new(Target::new(endpoint));
            self.cap = cap(endpoint, lane_limit);
        }
    }
}

/// How long the flight at `place` of a lane waits for its turn. Where next to nothing ended lately, a turn takes at least as long as the
/// first one has `waited`.
#[expect(clippy::cast_precision_loss, reason = "a guess needs no more than 53 bits")]
fn until_turn(place: usize, cap: usize, pace: f64, waited: Duration) -> Duration {
    let turns = || u32::try_from(place / cap).unwrap_or(u32::MAX).min(MOST_TURNS);
    if pace < 1.0 { waited * turns() } else { Duration::from_secs_f64((place as f64 / pace).min(f64::from(MOST_TURNS))) }
}

fn cap(endpoint: &Endpoint, lane_limit: usize) -> usize {
    endpoint.spec.in_flight.map_or(lane_limit, |own| own as usize)
}

impl State {
    fn give_turn(&mut self, id: i64) {
        if let Some(lane) = self.lanes.get_mut(&id)
            && !lane.has_turn
            && !lane.waiting.is_empty()
            && lane.in_flight < lane.cap
        {
            lane.has_turn = true;
            self.turns.push_back(id);
        }
    }

    fn next(&mut self, limit: usize) -> Option<Start> {
        while self.in_flight < limit && !self.closed {
            let id = self.turns.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.has_turn = false;
            if lane.in_flight >= lane.cap {
                continue;
            }
            let Some((_, flight)) = lane.waiting.pop_front() else { continue };
            lane.in_flight += 1;
            self.in_flight += 1;
            let target = Arc::clone(&lane.target);
            self.give_turn(id);
            return Some((flight, target));
        }
        None
    }
}

impl Lanes {
    pub(super) fn new(limit: usize, lane_limit: usize) -> Self {
        Self { state: Mutex::default(), limit, lane_limit }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes flights in, and answers those whose turn it is now. After [`Lanes::close`] it answers them all back in the second place.
    pub(super) fn offer(&self, flights: Vec<Flight>) -> (Vec<Start>, Vec<Flight>) {
        let mut state = self.state();
        if state.closed {
            return (Vec::new(), flights);
        }
        let now = Instant::now();
        for flight in flights {
            let id = flight.endpoint.id;
            let lane = state.lanes.entry(id).or_insert_with(|| Lane::new(Arc::clone(&flight.endpoint), self.lane_limit));
            lane.follow(&flight.endpoint, self.lane_limit);
            lane.waiting.push_back((now, flight));
            state.give_turn(id);
        }
        (std::iter::from_fn(|| state.next(self.limit)).collect(), Vec::new())
    }

    /// Ends a flight of that endpoint, and answers the one whose turn it is now.
    pub(super) fn finish(&self, endpoint_id: i64) -> Option<Start> {
        let mut state = self.state();
        state.in_flight -= 1;
        if let Some(lane) = state.lanes.get_mut(&endpoint_id) {
            lane.in_flight -= 1;
            lane.ended += 1;
            if lane.in_flight == 0 && lane.waiting.is_empty() && state.lanes.len() > IDLE_LANES {
                state.lanes.remove(&endpoint_id);
            } else {
                state.give_turn(endpoint_id);
            }
        }
        state.next(self.limit)
    }

    /// Takes out all that waits in lanes whose oldest flight has waited for `patience`: those lanes do not move, and what
    /// waits in them holds memory that others need. With each comes how long its lane will need, at its pace, until its turn. `since`
    /// is how long ago it was called last.
    pub(super) fn take_stalled(&self, patience: Duration, since: Duration) -> Vec<(Flight, Duration)> {
        let mut state = self.state();
        let mut stalled = Vec::new();
        for lane in state.lanes.values_mut() {
            // Half of what it was, half of what it is: one slow quarter of a second is not yet a slow receiver.
            lane.pace = f64::midpoint(lane.pace, f64::from(std::mem::take(&mut lane.ended)) / since.as_secs_f64());
            let waited = lane.waiting.front().map(|(since, _)| since.elapsed());
            if let Some(waited) = waited.filter(|waited| *waited >= patience) {
                let (cap, pace) = (lane.cap, lane.pace);
                let wait = |place: usize| until_turn(place, cap, pace, waited);
                stalled.extend(lane.waiting.drain(..).enumerate().map(|(place, (_, flight))| (flight, wait(place))));
            }
        }
        stalled
    }

    /// Takes out all that waits in one endpoint's lane.
    pub(super) fn take(&self, endpoint_id: i64) -> Vec<Flight> {
        let mut state = self.state();
        let waiting = state.lanes.get_mut(&endpoint_id).map(|lane| std::mem::take(&mut lane.waiting));
        waiting.into_iter().flatten().map(|(_, flight)| flight).collect()
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
        state.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).map(|(_, flight)| flight).collect()
    }

    /// How many requests are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.state().in_flight
    }
}
