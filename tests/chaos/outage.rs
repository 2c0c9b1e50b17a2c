//! A server goes away under load, for a while, and comes back.

use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use crate::harness::usage::Usage;
use crate::harness::{Api, LONG, eventually};

use super::dice::Dice;
use super::stage::{Part, Stage};

#[derive(Clone, Copy)]
pub(super) enum Way {
    /// It is stopped, and started again.
    Stopped,
    /// Connections stay open and new ones are taken, and nothing comes any more, from the middle of an answer on or between two.
    /// In the end they are cut.
    CutOff,
}

/// What one process may use of a core while it can do nothing.
const IDLE: f64 = 0.2;
/// How soon it is at work again.
const BACK_AT_WORK: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(4);

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

impl Stage {
    async fn take_away(&self, part: Part, way: Way, in_the_middle: bool) {
        match (way, &self.proxies) {
            (Way::Stopped, _) => self.stop(part).await,
            (Way::CutOff, Some(proxies)) if in_the_middle => proxies.of(part).break_off(),
            (Way::CutOff, Some(proxies)) => proxies.of(part).swallow(),
            (Way::CutOff, None) => unreachable!("set behind proxies"),
        }
    }

    async fn bring_back(&self, part: Part, way: Way) {
        match (way, &self.proxies) {
            (Way::Stopped, _) => self.start(part).await,
            (Way::CutOff, Some(proxies)) => {
                proxies.of(part).pass().await;
                proxies.of(part).cut();
            }
            (Way::CutOff, None) => unreachable!("set behind proxies"),
        }
    }

    fn usages(&self) -> Vec<Usage> {
        self.workers.iter().map(Usage::of).collect()
    }

    /// Requests a second at the receiver from now on.
    async fn rate(&self, over: Duration) -> f64 {
        let (before, started) = (self.world.receiver.count(), Instant::now());
        sleep(over).await;
        (self.world.receiver.count() - before) as f64 / started.elapsed().as_secs_f64()
    }

    /// The rate of the first window that reaches `wanted`, and when it ended; of the best one where none does.
    async fn rate_again(&self, wanted: f64) -> (f64, Duration) {
        let (back, mut best) = (Instant::now(), (0.0, Duration::ZERO));
        while best.0 < wanted && back.elapsed() + WINDOW <= BACK_AT_WORK {
            let rate = self.rate(WINDOW).await;
            if rate > best.0 {
                best = (rate, back.elapsed());
            }
        }
        best
    }
}

/// It is not ready, and names that part and no other server.
async fn says_what_is_away(api: &Api, part: Part) {
    eventually(LONG, async || {
        let answer = api.get("/ready").await;
        let named: Vec<_> = answer.json["errors"].as_array()?.iter().map(|error| error["field"].as_str().unwrap_or_default()).collect();
        (answer.status == 503 && named == [part.name()]).then_some(())
    })
    .await;
}

/// Takes a server away for `lasting` and brings it back, and holds the workers to what they may do meanwhile and must do after.
pub(super) async fn outage(dice: &mut Dice, stage: &Stage, part: Part, way: Way, lasting: Duration) {
    stage.world.receiver.wait_for(2000).await;
    let (rate, before) = (stage.rate(MEASURED).await, stage.usages());
    let in_the_middle = dice.number(0..2) == 1;
    stage.take_away(part, way, in_the_middle).await;
    let gone = tokio::time::Instant::now();
    let processes = || stage.workers.iter().chain([&stage.world.app]);
    for process in processes() {
        says_what_is_away(&process.api(), part).await;
    }
    // What was in memory goes on its way first.
    sleep_until(gone + lasting / 3).await;
    let (idle, idle_since) = (stage.usages(), Instant::now());
    sleep_until(gone + lasting).await;
    let (idle_for, during) = (idle_since.elapsed(), stage.usages());
    stage.bring_back(part, way).await;
    let (again, after) = stage.rate_again(rate / 2.0).await;
    for process in processes() {
        eventually(LONG, async || (process.api().ready().await == Some(200)).then_some(())).await;
    }

    let at_end = stage.usages();
    let share = |from: &Usage, to: &Usage| (to.cpu - from.cpu).as_secs_f64() / idle_for.as_secs_f64();
    let shares: Vec<_> = idle.iter().zip(&during).map(|(from, to)| share(from, to)).collect();
    let megabytes = |usages: &[Usage]| usages.iter().map(|usage| usage.memory >> 20).collect::<Vec<_>>();
    let memory = [megabytes(&before), megabytes(&during), megabytes(&at_end)];
    let how = match way {
        Way::Stopped => "stopped",
        Way::CutOff if in_the_middle => "cut off in the middle of answers",
        Way::CutOff => "cut off",
    };
    dice.say(&format!(
        "{} {how} for {lasting:?}: {rate:.0}/s before, {again:.0}/s {after:.1?} after; \
         of a core {shares:.3?}; MB before, during and after {memory:?}",
        part.name()
    ));
    assert!(again >= rate / 2.0, "{rate:.0} requests a second before, {again:.0} within {BACK_AT_WORK:?} after");
    assert!(shares.iter().all(|share| *share < IDLE), "it is busy while it can do nothing: {shares:?} of a core");
    for (worker, before) in before.iter().enumerate() {
        let bound = 2 * before.memory + (50 << 20);
        assert!(during[worker].memory.max(at_end[worker].memory) < bound, "its memory grew: {memory:?} MB");
    }
}
