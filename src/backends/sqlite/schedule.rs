//! Which delivery is due when. In memory, as Redis has it; the records rebuild it.

use std::collections::{BTreeSet, HashMap};

use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::ports::Due;

/// Ids with one time each.
#[derive(Debug, Default)]
struct Times {
    order: BTreeSet<(Timestamp, DeliveryId)>,
    of: HashMap<DeliveryId, Timestamp>,
}

impl Times {
    fn put(&mut self, id: DeliveryId, time: Timestamp) {
        if let Some(earlier) = self.of.insert(id, time) {
            self.order.remove(&(earlier, id));
        }
        self.order.insert((time, id));
    }

    fn remove(&mut self, id: DeliveryId) {
        if let Some(time) = self.of.remove(&id) {
            self.order.remove(&(time, id));
        }
    }

    fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(time, _)| *time)
    }

    /// Takes out up to `max` whose time has come, earliest first.
    fn take(&mut self, now: Timestamp, max: usize) -> Vec<DeliveryId> {
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(&(time, id)) = self.order.first()
            && time <= now
        {
            self.remove(id);
            taken.push(id);
        }
        taken
    }
}

/// Waiting deliveries by due time, and those whose attempt is running by the end of their lease. None is both.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    waiting: Times,
    leased: Times,
    room: usize,
}

impl Schedule {
    /// What does not fit into `room` is passed over: it stays in the records, and comes back when there is room.
    pub(super) fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.of.len() + self.leased.of.len()
    }

    /// The earliest due time.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.waiting.first()
    }

    fn holds(&self, id: DeliveryId) -> bool {
        self.waiting.of.contains_key(&id) || self.leased.of.contains_key(&id)
    }

    /// Replaces an earlier time, and ends a lease.
    pub(super) fn put(&mut self, id: DeliveryId, due: Timestamp) {
        if self.len() < self.room || self.holds(id) {
            self.leased.remove(id);
            self.waiting.put(id, due);
        }
    }

    /// Answers whether it was new.
    pub(super) fn put_missing(&mut self, id: DeliveryId, due: Timestamp) -> bool {
        let new = self.len() < self.room && !self.holds(id);
        if new {
            self.waiting.put(id, due);
        }
        new
    }

    pub(super) fn remove(&mut self, id: DeliveryId) {
        self.waiting.remove(id);
        self.leased.remove(id);
    }

    /// Leases up to `max` that are due or, up to `most_lapsed`, whose lease ran out, earliest first.
    pub(super) fn lease_due(&mut self, now: Timestamp, until: Timestamp, max: usize, most_lapsed: usize) -> Due {
        let lapsed = self.leased.take(now, most_lapsed);
        let ids = self.waiting.take(now, max - lapsed.len());
        for &id in lapsed.iter().chain(&ids) {
            self.leased.put(id, until);
        }
        let next = [self.waiting.first(), self.leased.first()].into_iter().flatten().min();
        let next = next.map(|time| (time - now).to_std().unwrap_or_default());
        Due { ids, lapsed, next }
    }

    pub(super) fn lease(&mut self, id: DeliveryId, until: Timestamp) {
        self.waiting.remove(id);
        self.leased.put(id, until);
    }

    /// Lets a lease start anew, unless the delivery is on the schedule again.
    pub(super) fn renew(&mut self, id: DeliveryId, until: Timestamp) {
        if !self.waiting.of.contains_key(&id) {
            self.leased.put(id, until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::from_unix_seconds as at;
    use std::time::Duration;
    use uuid::Uuid;

    fn id(number: u128) -> DeliveryId {
        DeliveryId(Uuid::from_u128(number))
    }

    fn due(ids: &[u128], lapsed: &[u128], next: Option<f64>) -> Due {
        let all = |numbers: &[u128]| numbers.iter().map(|number| id(*number)).collect();
        Due { ids: all(ids), lapsed: all(lapsed), next: next.map(Duration::from_secs_f64) }
    }

    #[test]
    fn due_deliveries_are_leased_oldest_first_and_next_is_the_earliest_that_follows() {
        let mut schedule = Schedule::new(10);
        for (number, time) in [(1, 30.0), (2, 10.0), (3, 20.0), (4, 99.0)] {
            schedule.put(id(number), at(time));
        }
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2, 2), due(&[2, 3], &[], Some(0.0)));
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2, 2), due(&[1], &[], Some(10.0)));
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2, 2), due(&[], &[], Some(10.0)));
        assert_eq!(schedule.len(), 4);
    }

    #[test]
    fn a_lease_that_ran_out_is_told_from_a_due_time() {
        let mut schedule = Schedule::new(10);
        schedule.put(id(1), at(10.0));
        schedule.put(id(2), at(25.0));
        assert_eq!(schedule.lease_due(at(10.0), at(20.0), 9, 9), due(&[1], &[], Some(10.0)));
        schedule.renew(id(1), at(25.0));
        assert_eq!(schedule.lease_due(at(24.0), at(34.0), 9, 9), due(&[], &[], Some(1.0)));
        assert_eq!(schedule.lease_due(at(25.0), at(35.0), 1, 1), due(&[], &[1], Some(0.0)));
        assert_eq!(schedule.lease_due(at(25.0), at(35.0), 9, 9), due(&[2], &[], Some(10.0)));
    }

    #[test]
    fn a_new_time_replaces_the_old_one_and_ends_the_lease() {
        let mut schedule = Schedule::new(10);
        schedule.put(id(1), at(10.0));
        schedule.lease_due(at(10.0), at(20.0), 9, 9);
        schedule.put(id(1), at(12.0));
        schedule.renew(id(1), at(50.0));
        assert!(!schedule.put_missing(id(1), at(0.0)));
        assert_eq!(schedule.lease_due(at(12.0), at(22.0), 9, 9).ids, [id(1)]);
        schedule.remove(id(1));
        assert_eq!(schedule.lease_due(at(99.0), at(99.0), 9, 9), Due::default());
    }

    #[test]
    fn what_does_not_fit_is_passed_over() {
        let mut schedule = Schedule::new(1);
        assert!(schedule.put_missing(id(1), at(10.0)));
        assert!(!schedule.put_missing(id(2), at(10.0)));
        schedule.put(id(1), at(11.0));
        assert_eq!(schedule.len(), 1);
    }
}
