//! Nothing accepted is ever lost, by counting: every event by its id at the receiver, every delivery by its row.
//!
//! As part of the other tests each one runs at a small size, always with the same seed. `make chaos` runs them at full size with a
//! seed of its own; [`dice`] says how to run one again.

mod dice;
mod flushed;
mod killed;
mod ledger;
mod load;
mod outage;
mod outages;
mod restarted;
mod stage;
mod tally;
