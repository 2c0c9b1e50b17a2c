//! Sizes, and numbers at random that can be had again.
//!
//! | variable | what | when it is missing |
//! |---|---|---|
//! | `CHAOS_SCALE` | 1 is full size, 2 twice that | the small size of ordinary tests |
//! | `CHAOS_ROUNDS` | how often each test runs | 1 |
//! | `CHAOS_SEED` | the first round's seed; the next one's is one more | at random, or fixed at the small size |

use std::ops::Range;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

const FIXED: u64 = 1;

static SCALE: LazyLock<Option<f64>> = LazyLock::new(|| setting("CHAOS_SCALE"));
static SEED: LazyLock<u64> = LazyLock::new(|| {
    let fresh = || if SCALE.is_some() { fastrand::u64(..1_000_000) } else { FIXED };
    setting("CHAOS_SEED").unwrap_or_else(fresh)
});

/// One round of one test.
pub(super) struct Dice {
    test: &'static str,
    seed: u64,
    numbers: fastrand::Rng,
}

#[expect(clippy::disallowed_methods, reason = "these are settings of the tests, not of the program")]
fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

impl Dice {
    /// The rounds of this test.
    pub(super) fn rounds(test: &'static str) -> impl Iterator<Item = Self> {
        (0..setting("CHAOS_ROUNDS").unwrap_or(1)).map(move |round| {
            let seed = *SEED + round;
            let dice = Self { test, seed, numbers: fastrand::Rng::with_seed(seed) };
            dice.say(&format!("starts, {}", dice.how_to_repeat()));
            dice
        })
    }

    /// How many, at full size and at the small one.
    pub(super) fn size(&self, full: usize, small: usize) -> usize {
        let scaled = |scale: f64| format!("{:.0}", full as f64 * scale).parse().expect("a whole number");
        SCALE.map_or(small, scaled)
    }

    /// How long, at any full size and at the small one.
    pub(super) fn seconds(&self, full: u64, small: u64) -> Duration {
        Duration::from_secs(if SCALE.is_some() { full } else { small })
    }

    /// Any of these numbers.
    pub(super) fn number(&mut self, of: Range<usize>) -> usize {
        self.numbers.usize(of)
    }

    /// Shown with a failure, and by `make chaos`.
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    pub(super) fn say(&self, what: &str) {
        eprintln!("chaos, {}, seed {}: {what}", self.test, self.seed);
    }

    fn how_to_repeat(&self) -> String {
        let scale = SCALE.map_or_else(String::new, |scale| format!(" CHAOS_SCALE={scale}"));
        format!("to repeat it: CHAOS_SEED={}{scale} CHAOS_ROUNDS=1 cargo test --locked --test promises {}", self.seed, self.test)
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.say(&format!("FAILED, {}", self.how_to_repeat()));
        }
    }
}
