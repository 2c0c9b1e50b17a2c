//! Which delivery is due when. In memory, as Redis has it; the records rebuild it.

use std::collections::{BTreeSet, HashMap};

use crate::model::clock::Timestamp;
use crate::model::delivery::DeliveryId;
use crate::ports::Due;

/// Deliveries by due time. A leased one is due again when its lease ends.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    order: BTreeSet<(Timestamp, DeliveryId)>,
    due: HashMap<DeliveryId, Timestamp>,
    room: usize,
}

impl Schedule {
    /// What does not fit into `room` is passed over: it stays in the records, and comes back when there is room.
    pub(super) fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Replaces an earlier time, and ends a lease.
    pub(super) fn put(&mut self, id: DeliveryId, due: Timestamp) {
        self.place(id, due);
    }

    /// Answers whether it was new.
    pub(super) fn put_missing(&mut self, id: DeliveryId, due: Timestamp) -> bool {
        !self.due.contains_key(&id) && self.place(id, due)
    }

    pub(super) fn remove(&mut self, id: DeliveryId) {
        if let Some(due) = self.due.remove(&id) {
            self.order.remove(&(due, id));
        }
    }

    /// Leases up to `max` that are due, oldest due time first.
    pub(super) fn lease_due(&mut self, now: Timestamp, until: Timestamp, max: usize) -> Due {
        let mut ids = Vec::new();
        while ids.len() < max
            && let Some(&(due, id)) = self.order.first()
            && due <= now
        {
            self.remove(id);
            ids.push(id);
        }
        // Before the leased ones come back: they are not what the caller waits for.
        let next = self.order.first().map(|&(due, _)| due);
        for &id in &ids {
            self.place(id, until);
        }
        Due { ids, next }
    }

    /// Lets a lease start anew; one that ran out stays so, for the delivery is due again.
    pub(super) fn renew(&mut self, id: DeliveryId, now: Timestamp, until: Timestamp) {
        // A delivery that goes on after its event was recorded has its lease from the settlement, by `put`.
        if self.due.get(&id).is_some_and(|due| *due > now) {
            self.place(id, until);
        }
    }

    fn place(&mut self, id: DeliveryId, due: Timestamp) -> bool {
        if self.due.len() >= self.room && !self.due.contains_key(&id) {
            return false;
        }
        if let Some(earlier) = self.due.insert(id, due) {
            self.order.remove(&(earlier, id));
        }
        self.order.insert((due, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::from_unix_seconds as at;
    use uuid::Uuid;

    fn id(number: u128) -> DeliveryId {
        DeliveryId(Uuid::from_u128(number))
    }

    #[test]
    fn due_deliveries_are_leased_oldest_first_and_next_is_the_earliest_of_the_others() {
        let mut schedule = Schedule::new(10);
        for (number, due) in [(1, 30.0), (2, 10.0), (3, 20.0), (4, 99.0)] {
            schedule.put(id(number), at(due));
        }
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2), Due { ids: vec![id(2), id(3)], next: Some(at(30.0)) });
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2), Due { ids: vec![id(1)], next: Some(at(60.0)) });
        assert_eq!(schedule.lease_due(at(50.0), at(60.0), 2), Due { ids: vec![], next: Some(at(60.0)) });
        assert_eq!(schedule.len(), 4);
    }

    #[test]
    fn a_lease_that_ran_out_is_due_again_and_cannot_be_renewed() {
        let mut schedule = Schedule::new(10);
        schedule.put(id(1), at(10.0));
        assert_eq!(schedule.lease_due(at(10.0), at(20.0), 9).ids, [id(1)]);
        schedule.renew(id(1), at(15.0), at(25.0));
        assert_eq!(schedule.lease_due(at(24.0), at(34.0), 9).ids, []);
        schedule.renew(id(1), at(25.0), at(35.0));
        assert_eq!(schedule.lease_due(at(25.0), at(35.0), 9).ids, [id(1)]);
    }

    #[test]
    fn a_new_time_replaces_the_old_one_and_ends_the_lease() {
        let mut schedule = Schedule::new(10);
        schedule.put(id(1), at(10.0));
        schedule.lease_due(at(10.0), at(20.0), 9);
        schedule.put(id(1), at(12.0));
        assert!(!schedule.put_missing(id(1), at(0.0)));
        assert_eq!(schedule.lease_due(at(12.0), at(22.0), 9).ids, [id(1)]);
        schedule.remove(id(1));
        assert_eq!(schedule.lease_due(at(99.0), at(99.0), 9), Due::default());
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
