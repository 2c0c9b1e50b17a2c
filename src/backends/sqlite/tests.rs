//! What this backend does beyond the promises of the ports, which `tests/conformance` checks for both.

mod catalog;
mod file;
mod queue;
mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::backends::sqlite::Sqlite;
use crate::model::clock::{self, Timestamp};
use crate::model::delivery::{AttemptResult, DeliveryId, DeliveryState, Status};
use crate::model::event::{Event, EventFields, EventKey};
use crate::ports::{Batch, Records as _, Routed, Step};

const LONG: Duration = Duration::from_secs(60);

/// A file in a directory of its own, and whoever has it open.
struct Place {
    _dir: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { path: dir.path().join("posthaste.db"), _dir: dir }
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.path, LONG).expect("opens")
    }
}

fn key(id: &str) -> EventKey {
    EventKey { tenant: Arc::from("default"), id: Arc::from(id) }
}

fn event_at(id: &str, accepted_at: Timestamp) -> Arc<Event> {
    Arc::new(Event::new(EventFields {
        key: key(id),
        event_type: Arc::from("order.created"),
        data: r#"{"b":1.0,"a":[1e3,"\u00e9"]}"#,
        source: "shop".into(),
        version: "1.0".into(),
        timestamp: 1_763_757_296.123_456_7,
        accepted_at,
        traceparent: None,
    }))
}

fn event(id: &str) -> Arc<Event> {
    event_at(id, clock::now())
}

fn attempt(status: u16) -> AttemptResult {
    AttemptResult {
        at: clock::now(),
        response_status: Some(status),
        response_body: Some(format!("body of {status}")),
        response_time: 0.25,
        error_message: (status >= 300).then(|| format!("the receiver answered {status}")),
    }
}

/// Where a delivery of `event` stands after so many attempts, the last of them answered with `code`.
fn state(event: &Event, endpoint_id: i64, status: Status, attempts: u32, code: u16) -> DeliveryState {
    DeliveryState {
        id: DeliveryId::of(event.accepted_at, &event.key, endpoint_id),
        endpoint_id,
        status,
        attempt_count: attempts,
        last: (attempts > 0).then(|| attempt(code)),
        reason: None,
        next_retry_at: status.is_waiting().then(clock::now),
    }
}

fn routed(event: &Arc<Event>, accepted: bool, deliveries: Vec<DeliveryState>) -> Batch {
    Batch { routed: vec![Routed { event: Arc::clone(event), accepted, deliveries }], ..Batch::default() }
}

fn step(after_attempts: u32, state: DeliveryState) -> Batch {
    Batch { steps: vec![Step { after_attempts, state }], ..Batch::default() }
}

/// Records the event with one delivery to endpoint 1, and answers its id.
async fn deliver(sqlite: &Sqlite, event: &Arc<Event>, status: Status) -> DeliveryId {
    let state = state(event, 1, status, u32::from(status != Status::Pending), if status == Status::Delivered { 200 } else { 500 });
    let id = state.id;
    sqlite.record(&routed(event, false, vec![state])).await.expect("records");
    id
}
