//! `posthaste dev`: events come by HTTP, in arrays, while they are delivered.

use std::time::{Duration, Instant};

use posthaste::model::clock;

use crate::cpu;
use crate::drain::{Commits, Drained, rate};
use crate::harness::api::Api;
use crate::harness::process::Launch;
use crate::harness::watchdog;
use crate::receipts::{Receiver, Tally};
use crate::sample::{EVENT_TYPE, Sample};
use crate::stage;

/// How long recording what was received may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that one request may carry.
const ARRAY: usize = 1000;

/// Both rates count from the first POST of an application.
pub(crate) async fn measure(receiver: &Receiver, settings: &[(String, String)], sample: &Sample) -> Drained {
    let directory = watchdog::directory("embedded");
    let launch = Launch::dev(&directory.join("posthaste.sqlite"));
    let cpu_before = cpu::used();
    let program = settings.iter().fold(launch, |launch, (name, value)| launch.set(name, value)).start().await;
    let api = program.api();
    api.register(&receiver.url(&sample.name), &serde_json::Value::Null).await;
    let bodies: Vec<_> = sample.ids().map(|id| sample.body(&id)).collect();
    let arrays: Vec<_> = bodies.chunks(ARRAY).map(|events| format!("[{}]", events.join(","))).collect();
    let url = format!("{}/api/webhooks/events", program.url());
    let started = clock::now().timestamp_micros();
    for array in arrays {
        let request = api.client.post(&url).header("content-type", "application/json").body(array);
        let answer = request.send().await.expect("the program runs");
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap_or_default());
    }
    receiver.wait_for(sample.count).await;
    let since = Instant::now();
    while delivered(&api).await < f64::from(sample.count) && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let settled = clock::now().timestamp_micros();
    let cpu = cpu::per_unit(&cpu_before, &cpu::used(), sample.count);
    let (commits, rows) = (Commits::of(&api).await, delivered_rows(&api).await);
    let complaints = stage::end(program).await;
    let tally = Tally::of(sample, &receiver.take().await);
    // A directory that stays goes when the benchmark ends.
    let _ = std::fs::remove_dir_all(directory);
    Drained {
        sent_per_second: rate(sample.count, tally.last - started),
        per_second: rate(sample.count, settled - started),
        wanted: sample.count,
        rows,
        tally,
        cpu: cpu.into_iter().filter(|(name, _)| ["posthaste", "receiver"].contains(name)).collect(),
        commits,
        redis_reads: None,
        complaints,
    }
}

/// As the metrics have it: counted when it is committed.
async fn delivered(api: &Api) -> f64 {
    let line = format!("webhook_events_total{{event_type=\"{EVENT_TYPE}\",status=\"delivered\"}}");
    api.metric(&line).await.unwrap_or_default()
}

async fn delivered_rows(api: &Api) -> i64 {
    let stats = api.get("/api/webhooks/stats?hours=24").await.expect(200);
    stats["successful_deliveries"].as_i64().expect("a count")
}
