//! What the steps of one delivery cost, each by itself: read an entry, find its endpoints, sign, claim, commit.
//!
//! `make bench-micro` measures. Without `--bench`, as `cargo test` runs this, each of them is done once, so that they cannot rot.
//! Redis and PostgreSQL are private ones that flush to disk as servers in production do.

mod claim;
mod commit;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../../tests/harness"]
mod harness {
    pub(crate) mod eventually;
    pub(crate) mod places;
    pub(crate) mod postgres;
    pub(crate) mod redis;
    pub(crate) mod server;
    pub(crate) mod watchdog;
}
mod laps;
mod matching;
mod parse;
mod sample;
mod sign;

use criterion::Criterion;

/// Events as they are in most places, and large ones.
const SIZES: [(&str, usize); 2] = [("500 bytes", 500), ("50 KB", 50_000)];

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    parse::measure(&mut criterion);
    matching::measure(&mut criterion);
    sign::measure(&mut criterion);
    claim::measure(&mut criterion);
    commit::measure(&mut criterion);
}
