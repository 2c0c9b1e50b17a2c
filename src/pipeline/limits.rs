//! Flights of endpoints with a rate limit wait here: first until they are asked for, then until their slot comes. What gets no slot soon goes
//! onto the schedule, and comes back when one is near. So a limit costs no memory that others need, however much waits for it.

mod asking;
mod rate;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::rate::Rate;
use super::flight::{Flight, Origin, Slot};
use crate::ports::{Ask, Given};

pub(super) struct Limits {
    state: Mutex<State>,
    /// How many flights may wait for their slots at most. They hold what claiming needs, for all endpoints.
    most: usize,
    /// Something came that has no slot.
    came: Notify,
    /// Slots were given.
    given: Notify,
}

/// An endpoint, and whether it is about newcomers. Those that came back are asked for first.
type Group = (i64, bool);

#[derive(Default)]
struct State {
    /// Flights without a slot, in the order in which they came.
    asking: BTreeMap<Group, VecDeque<Flight>>,
    /// Flights with a slot, by its time, and numbered where that is the same.
    slotted: BTreeMap<(Instant, u64), Flight>,
    number: u64,
    closed: bool,
}

impl State {
    fn add(&mut self, flight: Flight) {
        // One that lost its slot was let in before.
        let newcomer = matches!(flight.origin, Origin::Routing { .. }) && flight.slot.is_none();
        self.asking.entry((flight.endpoint.id, newcomer)).or_default().push_back(flight);
    }

    /// Takes out up to `most` that ask, oldest first.
    fn take_asking(&mut self, group: Group, most: usize) -> VecDeque<Flight> {
        let Some(flights) = self.asking.get_mut(&group) else { return VecDeque::new() };
        let rest = flights.split_off(most.min(flights.len()));
        let taken = std::mem::replace(flights, rest);
        if flights.is_empty() {
            self.asking.remove(&group);
        }
        taken
    }
}

impl Limits {
    pub(super) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), most, came: Notify::new(), given: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes flights in. After [`Limits::close`] it answers them instead.
    pub(super) fn add(&self, flights: Vec<Flight>) -> Vec<Flight> {
        if flights.is_empty() {
            return flights;
        }
        let mut state = self.state();
        if state.closed {
            return flights;
        }
        for flight in flights {
            state.add(flight);
        }
        self.came.notify_one();
        Vec::new()
    }

    /// Waits until something has no slot; false when `stop` came first.
    async fn something_asks(&self, stop: &CancellationToken) -> bool {
        while self.state().asking.is_empty() {
            tokio::select! {
                () = self.came.notified() => {}
                () = stop.cancelled() => return false,
            }
        }
        !stop.is_cancelled()
    }

    /// What has no slot, and how many of each.
    fn groups(&self) -> Vec<(Group, usize)> {
        self.state().asking.iter().map(|(group, flights)| (*group, flights.len())).collect()
    }

    /// How many more may wait for their slots.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.state().slotted.len())
    }

    /// How many wait for their slots, with or without one.
    pub(super) fn waiting(&self) -> usize {
        let state = self.state();
        state.slotted.len() + state.asking.values().map(VecDeque::len).sum::<usize>()
    }

    /// Takes out all of one endpoint that have no slot.
    fn take_asking(&self, endpoint_id: i64) -> Vec<Flight> {
        let mut state = self.state();
        let groups = [false, true].map(|newcomers| state.take_asking((endpoint_id, newcomers), usize::MAX));
        groups.into_iter().flatten().collect()
    }

    /// Hands out what an ask was given at `now`, and answers those that go onto the schedule, each with the time until then. What was taken
    /// out meanwhile loses its share.
    fn give(&self, ask: &Ask, rate: Rate, given: &Given, now: Instant) -> Vec<(Flight, Duration)> {
        let mut state = self.state();
        let mut flights = state.take_asking((ask.endpoint_id, ask.newcomers), ask.count as usize);
        for after in &given.slots {
            let Some(mut flight) = flights.pop_front() else { break };
            let at = now + *after;
            flight.slot = Some(Slot { at, latest: at + rate.tolerance });
            state.number += 1;
            let number = state.number;
            state.slotted.insert((at, number), flight);
        }
        self.given.notify_one();
        let returns = given.places.iter().map(|place| rate.back_before(*place));
        flights.into_iter().zip(returns.chain(std::iter::repeat_with(rate::much_later))).collect()
    }

    /// Takes out those whose slot is now. Those that missed it ask again.
    fn due(&self, now: Instant) -> Vec<Flight> {
        let mut state = self.state();
        let later = state.slotted.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.slotted, later);
        let (in_time, late): (Vec<_>, Vec<_>) = due.into_values().partition(|flight| flight.slot.is_some_and(|slot| now <= slot.latest));
        if !late.is_empty() {
            late.into_iter().for_each(|flight| state.add(flight));
            self.came.notify_one();
        }
        in_time
    }

    /// Waits until a slot may have come; false when `stop` came first.
    async fn slot_comes(&self, stop: &CancellationToken) -> bool {
        let next = self.state().slotted.values().next().and_then(|flight| flight.slot);
        let comes = async {
            match next {
                Some(slot) => tokio::time::sleep_until(slot.at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = comes => true,
            () = self.given.notified() => true,
            () = stop.cancelled() => false,
        }
    }

    /// Takes out all of one endpoint.
    pub(super) fn take(&self, endpoint_id: i64) -> Vec<Flight> {
        let mut flights = self.take_asking(endpoint_id);
        let mut state = self.state();
        let (taken, rest): (BTreeMap<_, _>, _) =
            std::mem::take(&mut state.slotted).into_iter().partition(|(_, flight)| flight.endpoint.id == endpoint_id);
        state.slotted = rest;
        flights.extend(taken.into_values());
        flights
    }

    /// Lets nothing more in, and answers all that waited.
    pub(super) fn close(&self) -> Vec<Flight> {
        let mut state = self.state();
        state.closed = true;
        let asking = std::mem::take(&mut state.asking).into_values().flatten();
        asking.chain(std::mem::take(&mut state.slotted).into_values()).collect()
    }
}
