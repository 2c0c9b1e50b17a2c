//! Asks, and keeps what it took.

use std::time::{Duration, Instant};

use crate::asked::Asked;
use crate::harness::api::Api;

/// What every answer has to be faster than.
const GOAL: Duration = Duration::from_millis(50);
/// Calls that nobody counts: connections are made, statements prepared.
const WARM_UP: u32 = 5;

/// Milliseconds.
struct Percentiles {
    p50: f64,
    p99: f64,
    max: f64,
}

pub(crate) struct Times {
    first: Percentiles,
    deep: Option<(Percentiles, i64)>,
    items: String,
}

pub(crate) fn head(calls: u32) -> String {
    let goal = GOAL.as_millis();
    format!(
        "\nms of {calls} calls; the goal is that 99 of 100 take less than {goal}\n  {:38}{:>7}{:>24}   {:>24}\n  {:45}{:>8}{:>8}{:>8}   {:>8}{:>8}{:>8}  page\n",
        "", "items", "first page", "deep", "", "p50", "p99", "max", "p50", "p99", "max"
    )
}

pub(crate) async fn times(api: &Api, asked: &Asked, calls: u32) -> Times {
    let answer = api.get(&asked.path).await.expect(200);
    let items = answer["items"].as_array().map_or_else(
        || "-".to_owned(),
        |items| {
            // A page that is not full and not the last one is marked.
            let short = items.len() < 50 && answer["next_cursor"].is_string();
            format!("{}{}", items.len(), if short { "…" } else { "" })
        },
    );
    let first = of(api, &asked.path, calls).await;
    let deep = match &asked.deep {
        Some((path, page)) => Some((of(api, path, calls).await, *page)),
        None => None,
    };
    Times { first, deep, items }
}

async fn of(api: &Api, path: &str, calls: u32) -> Percentiles {
    for _ in 0..WARM_UP {
        api.get(path).await.expect(200);
    }
    let mut all = Vec::new();
    for _ in 0..calls {
        let started = Instant::now();
        api.get(path).await.expect(200);
        all.push(started.elapsed().as_secs_f64() * 1e3);
    }
    all.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| all[(all.len() * percent).div_ceil(100).max(1) - 1];
    Percentiles { p50: at(50), p99: at(99), max: at(100) }
}

impl Times {
    pub(crate) fn misses(&self) -> bool {
        let goal = GOAL.as_secs_f64() * 1e3;
        self.first.p99 >= goal || self.deep.as_ref().is_some_and(|(deep, _)| deep.p99 >= goal)
    }

    pub(crate) fn line(&self, asked: &Asked) -> String {
        let mark = if self.misses() { "!" } else { " " };
        let Percentiles { p50, p99, max } = &self.first;
        let deep = self
            .deep
            .as_ref()
            .map_or_else(String::new, |(Percentiles { p50, p99, max }, page)| format!("   {p50:8.1}{p99:8.1}{max:8.1}{page:6}"));
        format!("{mark} {:38}{:>7}{p50:8.1}{p99:8.1}{max:8.1}{deep}\n", asked.name, self.items)
    }
}
