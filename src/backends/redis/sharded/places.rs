//! Where things are: which keys a shard has, and which shard an event, a delivery or a claim belongs to.

use crate::backends::redis::keys::Keys;
use crate::model::delivery::DeliveryId;
use crate::model::event::EventKey;
use crate::ports::ClaimId;

/// A set of keys that lie in one slot of a Redis Cluster, but for [`Place::Unsharded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    Shard(usize),
    /// The list that applications know, with the claims of its entries.
    Door,
    /// What the queue had while it was not sharded; nothing but claims is looked for there.
    Unsharded,
    /// The one list of dead letters.
    Letters,
}

impl Place {
    pub(super) fn keys(self, prefix: &str) -> Keys {
        match self {
            Self::Shard(number) => Keys::new(&format!("{prefix}{{{number}}}")),
            Self::Door => Keys::of_door(prefix),
            Self::Unsharded | Self::Letters => Keys::new(prefix),
        }
    }

    /// A key whose slot is that of all the others.
    pub(super) fn key(self, keys: &Keys) -> &str {
        match self {
            Self::Shard(_) | Self::Unsharded => &keys.claims,
            Self::Door => &keys.events,
            Self::Letters => &keys.dead_letters,
        }
    }

    /// What the ids of its claims end in.
    pub(super) fn mark(self) -> String {
        match self {
            Self::Shard(number) => format!("-{number}"),
            Self::Door => "-door".to_owned(),
            Self::Unsharded | Self::Letters => String::new(),
        }
    }

    /// Where a claim was made, and is until it is settled. `None` when no worker made it.
    pub(super) fn of_claim(id: &ClaimId) -> Option<Self> {
        let mut parts = id.0.split('-').skip(2);
        parts.next()?;
        match parts.next() {
            None => Some(Self::Unsharded),
            Some("door") => Some(Self::Door),
            Some(number) => number.parse().ok().map(Self::Shard),
        }
    }
}

/// The shard of an event: where it is on offer, and where it is reserved through whatever door it comes.
pub(super) fn of_event(key: &EventKey, shards: usize) -> usize {
    of_name(&key.to_member(), shards)
}

/// The shard whose schedule a delivery is on.
pub(super) fn of_delivery(id: DeliveryId, shards: usize) -> usize {
    of_name(&id.to_string(), shards)
}

/// The shard of an endpoint's rate limit.
pub(super) fn of_endpoint(id: i64, shards: usize) -> usize {
    of_name(&id.to_string(), shards)
}

/// FNV-1a of 64 bits, mixed as MurmurHash3 ends: by itself it hardly tells short names that are alike. What is in Redis lies where
/// this says, so another function would be as another number of shards.
fn of_name(name: &str, shards: usize) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    usize::try_from((hash ^ (hash >> 33)) % shards as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_where_they_always_lay() {
        assert_eq!(["", "default/a", "default/b", "7"].map(|name| of_name(name, 1 << 16)), [10534, 33885, 57200, 42903]);
    }

    #[test]
    fn names_that_are_alike_are_spread() {
        let mut counts = [0; 4];
        for number in 0..4000 {
            counts[of_name(&format!("default/order-{number}"), 4)] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_claim_says_where_it_was_made() {
        for place in [Place::Shard(0), Place::Shard(31), Place::Door, Place::Unsharded] {
            let id = ClaimId(format!("e-1763757296123-0123abc{}", place.mark()).into());
            assert_eq!(Place::of_claim(&id), Some(place));
        }
        for foreign in ["", "accepted:0:nobody", "e-1", "e-1-2-x"] {
            assert_eq!(Place::of_claim(&ClaimId(foreign.into())), None, "{foreign}");
        }
    }

    #[test]
    fn every_name_starts_with_the_prefix_and_the_door_has_the_name_that_applications_know() {
        let door = Place::Door.keys("shop:");
        assert_eq!((&*door.events, &*door.claims), ("shop:webhook_events", "shop:{shop:webhook_events}webhook_claims"));
        assert_eq!(Place::Shard(3).keys("shop:").events, "shop:{3}webhook_events");
        assert_eq!(Place::Letters.keys("shop:").dead_letters, "shop:webhook_dead_letters");
    }
}
