//! The events that are measured with.

use std::sync::Arc;

use posthaste::model::clock::{self, Timestamp};
use posthaste::model::event::{self, Event, Reading};

/// White space as Python's `json.dumps` has it, which the body of a request has not.
const LINE: &str = r#"{"sku": "T-1042", "quantity": 2, "price": 19.90, "gift": false}"#;

/// What a door of Redis takes: an order with as many lines as fit into so many bytes.
pub(crate) fn entry(id: &str, bytes: usize) -> String {
    let mut entry = format!(
        r#"{{"id": "{id}", "event_type": "order.created", "timestamp": 1763757296.12, "source": "shop", "version": "1.0", "data": {{"lines": [{LINE}"#
    );
    let end = |note: &str| format!(r#"], "note": "{note}"}}}}"#);
    let room = bytes - end("").len();
    while entry.len() + 2 + LINE.len() <= room {
        entry.push_str(", ");
        entry.push_str(LINE);
    }
    let note = "x".repeat(room - entry.len());
    entry.push_str(&end(&note));
    assert_eq!(entry.len(), bytes);
    entry
}

/// How entries of the list are read.
pub(crate) fn reading(accepted_at: Timestamp) -> Reading<'static> {
    Reading { max_bytes: 256 << 10, accepted_at, new_id: None, tenant: None, traceparent: None }
}

/// An event that was accepted just now.
pub(crate) fn event(id: &str, bytes: usize) -> Arc<Event> {
    Arc::new(event::parse(entry(id, bytes).as_bytes(), reading(clock::now())).expect("an event"))
}
