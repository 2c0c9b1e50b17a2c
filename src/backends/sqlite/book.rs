//! Who holds what. One process has the file, so all of this is in memory: when the process dies every lease is gone, and
//! what is unfinished is offered anew at the next start.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::SubsecRound as _;

use crate::backends::sqlite::pacing::Paced;
use crate::backends::sqlite::schedule::Schedule;
use crate::model::clock::{self, Timestamp};
use crate::model::event::EventKey;
use crate::ports::{Claim, ClaimId, Depth, Oldest, Settlement};

/// How many events, and how many deliveries, are kept in memory at most: some hundred MiB. The rest stays in the records,
/// and the sweep offers it when there is room.
pub(super) const ROOM: usize = 1_000_000;

/// Accepted events on offer, the claims on them, the schedule, and what is paused.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) schedule: Schedule,
    pub(super) paced: Paced,
    pub(super) dead_letters: u64,
    lease: Duration,
    room: usize,
    /// By acceptance, and then in the order in which they came.
    offers: BTreeMap<(Timestamp, u64), EventKey>,
    /// Everything on offer or under a claim.
    known: HashSet<EventKey>,
    claims: HashMap<ClaimId, Held>,
    reservations: HashMap<EventKey, ClaimId>,
    /// Numbers offers and claims.
    count: u64,
}

#[derive(Debug)]
struct Held {
    claimed_at: Timestamp,
    lease_ends: Timestamp,
    items: Vec<EventKey>,
    reserved: Vec<EventKey>,
}

impl Book {
    pub(super) fn new(lease: Duration, room: usize) -> Self {
        Self {
            schedule: Schedule::new(room),
            paced: Paced::default(),
            dead_letters: 0,
            lease,
            room,
            offers: BTreeMap::new(),
            known: HashSet::new(),
            claims: HashMap::new(),
            reservations: HashMap::new(),
            count: 0,
        }
    }

    pub(super) fn lease_from(&self, now: Timestamp) -> Timestamp {
        clock::after(now, self.lease)
    }

    /// Answers whether it was new: neither on offer nor under a claim.
    pub(super) fn offer(&mut self, key: &EventKey, accepted_at: Timestamp) -> bool {
        if self.offers.len() >= self.room || !self.known.insert(key.clone()) {
            return false;
        }
        self.count += 1;
        self.offers.insert((accepted_at, self.count), key.clone());
        true
    }

    /// `None` when nothing is on offer.
    pub(super) fn claim(&mut self, now: Timestamp, max: usize) -> Option<Claim<EventKey>> {
        let mut items = Vec::new();
        while items.len() < max
            && let Some((_, key)) = self.offers.pop_first()
        {
            items.push(key);
        }
        (!items.is_empty()).then(|| self.hold(now, now.trunc_subsecs(3), items))
    }

    /// Claims whose lease ran out, oldest first, under new ids: the old ones settle nothing any more.
    pub(super) fn take_over(&mut self, now: Timestamp, max: usize) -> Vec<Claim<EventKey>> {
        let mut over: Vec<_> =
            self.claims.iter().filter(|(_, held)| held.lease_ends <= now).map(|(id, held)| (held.claimed_at, id.clone())).collect();
        over.sort_unstable_by(|a, b| (a.0, &a.1.0).cmp(&(b.0, &b.1.0)));
        over.truncate(max);
        over.into_iter()
            .filter_map(|(claimed_at, id)| {
                let held = self.end(&id)?;
                Some(self.hold(now, claimed_at, held.items))
            })
            .collect()
    }

    /// For each, whether the claim has it reserved now. A claim that is settled or gone reserves nothing.
    pub(super) fn reserve(&mut self, claim: &ClaimId, keys: &[EventKey]) -> Vec<bool> {
        let Some(held) = self.claims.get_mut(claim) else {
            return vec![false; keys.len()];
        };
        let mut reserve = |key: &EventKey| match self.reservations.get(key) {
            Some(holder) => holder == claim,
            None => {
                self.reservations.insert(key.clone(), claim.clone());
                held.reserved.push(key.clone());
                true
            }
        };
        keys.iter().map(&mut reserve).collect()
    }

    /// A claim is held until another worker takes it over, however late that is.
    pub(super) fn renew(&mut self, claim: &ClaimId, until: Timestamp) {
        if let Some(held) = self.claims.get_mut(claim) {
            held.lease_ends = until;
        }
    }

    /// All of it but the dead letters, which are in the file: they are only counted here.
    pub(super) fn settle(&mut self, now: Timestamp, settlement: &Settlement) {
        for id in &settlement.claims {
            for item in self.end(id).into_iter().flat_map(|held| held.items) {
                self.known.remove(&item);
            }
        }
        for key in &settlement.released {
            self.reservations.remove(key);
        }
        for &(id, due) in &settlement.scheduled {
            self.schedule.put(id, due);
        }
        for &id in &settlement.unscheduled {
            self.schedule.remove(id);
        }
        for &id in &settlement.leased {
            self.schedule.lease(id, self.lease_from(now));
        }
        self.dead_letters += settlement.dead.len() as u64;
    }

    pub(super) fn depth(&self) -> Depth {
        Depth { events: self.offers.len() as u64, deliveries: self.schedule.len() as u64, dead_letters: self.dead_letters }
    }

    pub(super) fn oldest(&self) -> Oldest {
        Oldest { event: self.offers.first_key_value().map(|((accepted_at, _), _)| *accepted_at), due: self.schedule.earliest() }
    }

    fn hold(&mut self, now: Timestamp, claimed_at: Timestamp, items: Vec<EventKey>) -> Claim<EventKey> {
        self.count += 1;
        let id = ClaimId(Arc::from(format!("accepted-{}-{}", claimed_at.timestamp_millis(), self.count)));
        let held = Held { claimed_at, lease_ends: self.lease_from(now), items: items.clone(), reserved: Vec::new() };
        self.claims.insert(id.clone(), held);
        Claim { id, claimed_at, items }
    }

    /// Ends a claim, and its reservations with it.
    fn end(&mut self, id: &ClaimId) -> Option<Held> {
        let held = self.claims.remove(id)?;
        for key in &held.reserved {
            if self.reservations.get(key) == Some(id) {
                self.reservations.remove(key);
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::clock::from_unix_seconds as at;

    const LEASE: Duration = Duration::from_secs(10);

    fn key(id: &str) -> EventKey {
        EventKey { tenant: Arc::from("default"), id: Arc::from(id) }
    }

    fn book(ids: &[&str]) -> Book {
        let mut book = Book::new(LEASE, 5);
        for id in ids {
            assert!(book.offer(&key(id), at(1.0)), "{id}");
        }
        book
    }

    fn settled(id: &ClaimId) -> Settlement {
        Settlement { claims: vec![id.clone()], ..Settlement::default() }
    }

    #[test]
    fn events_are_claimed_in_the_order_of_acceptance_and_only_once() {
        let mut book = book(&["b", "a", "c"]);
        assert!(book.offer(&key("early"), at(0.5)));
        assert_eq!(book.claim(at(2.0), 2).expect("a claim").items, [key("early"), key("b")]);
        assert_eq!(book.depth().events, 2);
        assert_eq!(book.claim(at(2.0), 9).expect("a claim").items, [key("a"), key("c")]);
        assert_eq!(book.claim(at(2.0), 9), None);
    }

    #[test]
    fn what_is_on_offer_or_claimed_is_not_offered_again_until_its_claim_is_settled() {
        let mut book = book(&["a"]);
        assert!(!book.offer(&key("a"), at(1.0)));
        let claim = book.claim(at(2.0), 9).expect("a claim");
        assert!(!book.offer(&key("a"), at(1.0)));
        book.settle(at(2.0), &settled(&claim.id));
        assert!(book.offer(&key("a"), at(1.0)));
    }

    #[test]
    fn a_claim_taken_over_keeps_its_time_and_its_first_holder_settles_nothing() {
        let mut book = book(&["a"]);
        let first = book.claim(at(2.000_7), 9).expect("a claim");
        assert!(first.id.0.starts_with("accepted-2000-"), "{:?}", first.id);
        assert_eq!(book.reserve(&first.id, &[key("a")]), [true]);
        assert_eq!(book.take_over(at(11.9), 9), []);
        book.renew(&first.id, at(15.0));
        assert_eq!(book.take_over(at(14.9), 9), []);
        let second = book.take_over(at(15.0), 9).remove(0);
        assert_eq!((&second.items, second.claimed_at), (&first.items, first.claimed_at));
        assert_ne!(second.id, first.id);
        book.settle(at(15.0), &settled(&first.id));
        assert_eq!(book.reserve(&first.id, &[key("a")]), [false]);
        assert_eq!(book.reserve(&second.id, &[key("a")]), [true]);
        assert_eq!(book.take_over(at(25.0), 9).len(), 1);
    }

    #[test]
    fn a_reservation_holds_until_it_is_released_or_its_claim_is_settled() {
        let mut book = book(&["a", "b"]);
        let one = book.claim(at(2.0), 1).expect("a claim").id;
        let two = book.claim(at(2.0), 1).expect("a claim").id;
        assert_eq!(book.reserve(&one, &[key("x"), key("y")]), [true, true]);
        assert_eq!(book.reserve(&one, &[key("x")]), [true]);
        assert_eq!(book.reserve(&two, &[key("z"), key("x"), key("y")]), [true, false, false]);
        book.settle(at(2.0), &Settlement { released: vec![key("x")], ..Settlement::default() });
        assert_eq!(book.reserve(&two, &[key("x"), key("y")]), [true, false]);
        book.settle(at(2.0), &settled(&one));
        assert_eq!(book.reserve(&two, &[key("x"), key("y")]), [true, true]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut book = book(&["1", "2", "3", "4", "5"]);
        assert!(!book.offer(&key("6"), at(1.0)));
        book.claim(at(2.0), 1);
        assert!(book.offer(&key("6"), at(1.0)));
    }
}
